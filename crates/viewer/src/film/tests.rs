use super::*;

fn at(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

#[test]
fn frames_are_spread_from_the_first_time_to_the_last() {
    let config = FilmConfig {
        n_frames: 5,
        ..FilmConfig::new(at(1000), at(3000))
    };
    let times: Vec<_> = (0..5).map(|frame| config.at(frame)).collect();
    assert_eq!(times, [1000, 1500, 2000, 2500, 3000].map(at));
}

#[test]
fn what_makes_no_film_is_refused() {
    let good = FilmConfig::new(at(0), at(1000));
    let folder = tempfile::tempdir().unwrap();
    for bad in [
        FilmConfig {
            n_frames: 1,
            ..good.clone()
        },
        FilmConfig {
            n_frames: 1_000_000,
            ..good.clone()
        },
        FilmConfig {
            width_px: 0,
            ..good.clone()
        },
        FilmConfig { to: at(0), ..good },
    ] {
        let (recording, gif) = (folder.path().join("no.rrd"), folder.path().join("no.gif"));
        let error = film(&recording, &gif, &bad, &mut |_| {}).unwrap_err();
        assert!(matches!(error, ViewerError::NoFilm { .. }), "{error}");
    }
}

#[test]
fn a_recording_that_is_none_is_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("garbage.rrd");
    fs::write(&recording, [7; 1000]).unwrap();
    let gif = folder.path().join("film.gif");
    let config = FilmConfig::new(at(0), at(1000));
    let error = film(&recording, &gif, &config, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("garbage.rrd"), "{error}");
}
