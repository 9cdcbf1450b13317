//! As much of HTTP/1.1 as a scrape needs. Sans-I/O.

/// What a request is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// The page.
    Page,
    /// The page's head, for `HEAD`.
    Head,
    /// Another path.
    NotFound,
    /// Another method.
    NotAllowed,
    /// It is no request.
    Bad,
    /// It does not end.
    TooLong,
}

/// What the bytes that came so far are answered with; none while the request has not ended.
pub(super) fn answer_to(request: &[u8]) -> Option<Answer> {
    let has_ended = |end: &[u8]| request.windows(end.len()).any(|bytes| bytes == end);
    if !has_ended(b"\r\n\r\n") && !has_ended(b"\n\n") {
        return None;
    }
    let line = request
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    let words: Vec<&str> = line.split_whitespace().collect();
    let [method, target, version] = words[..] else {
        return Some(Answer::Bad);
    };
    if !version.starts_with("HTTP/1.") {
        return Some(Answer::Bad);
    }
    let path = target.split(['?', '#']).next().unwrap_or_default();
    Some(match (method, path) {
        ("GET", "/metrics") => Answer::Page,
        ("HEAD", "/metrics") => Answer::Head,
        ("GET" | "HEAD", _) => Answer::NotFound,
        _ => Answer::NotAllowed,
    })
}

impl Answer {
    /// The bytes of the answer; `page` is only made where it is sent.
    pub(super) fn text(self, page: impl FnOnce() -> String) -> Vec<u8> {
        let (status, body) = match self {
            Self::Page | Self::Head => ("200 OK", page()),
            Self::NotFound => ("404 Not Found", "metrics are at /metrics\n".to_owned()),
            Self::NotAllowed => ("405 Method Not Allowed", "expected GET\n".to_owned()),
            Self::Bad => (
                "400 Bad Request",
                "expected an HTTP/1.1 request\n".to_owned(),
            ),
            Self::TooLong => (
                "431 Request Header Fields Too Large",
                "expected a shorter request\n".to_owned(),
            ),
        };
        let kind = match self {
            Self::Page | Self::Head => "text/plain; version=0.0.4; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        };
        let allow = match self {
            Self::NotAllowed => "Allow: GET, HEAD\r\n",
            _ => "",
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{allow}\
             Connection: close\r\n\r\n",
            body.len()
        );
        match self {
            Self::Head => head.into_bytes(),
            _ => (head + &body).into_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_answered_by_method_and_path_once_they_have_ended() {
        let check = |request: &str, expected: Option<Answer>| {
            assert_eq!(answer_to(request.as_bytes()), expected, "{request:?}");
        };
        check("", None);
        check("GET /metrics HTTP/1.1\r\nHost: a\r\n", None);
        check(
            "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
            Some(Answer::Page),
        );
        check("GET /metrics?a=b HTTP/1.0\n\n", Some(Answer::Page));
        check("HEAD /metrics HTTP/1.1\r\n\r\n", Some(Answer::Head));
        check("GET / HTTP/1.1\r\n\r\n", Some(Answer::NotFound));
        check("POST /metrics HTTP/1.1\r\n\r\n", Some(Answer::NotAllowed));
        check("GET /metrics\r\n\r\n", Some(Answer::Bad));
        check("GET /metrics SMTP\r\n\r\n", Some(Answer::Bad));
        check("\r\n\r\n", Some(Answer::Bad));
        assert_eq!(answer_to(b"\xff\xfe\r\n\r\n"), Some(Answer::Bad));
    }

    #[test]
    fn an_answer_says_how_long_its_body_is() {
        let text = |answer: Answer| String::from_utf8(answer.text(|| "a 1\n".into())).unwrap();
        let page = text(Answer::Page);
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        assert!(page.contains("Content-Length: 4\r\n"), "{page}");
        assert!(page.contains("version=0.0.4"), "{page}");
        assert!(page.ends_with("\r\n\r\na 1\n"), "{page}");
        assert!(text(Answer::Head).ends_with("\r\n\r\n"));
        assert!(text(Answer::NotAllowed).contains("Allow: GET, HEAD\r\n"));
    }
}
