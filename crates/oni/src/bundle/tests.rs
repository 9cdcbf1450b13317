use super::*;
use proptest::prelude::*;

type Parts = Vec<(Vec<u8>, Vec<u8>)>;

fn bundle(messages: &Parts) -> Bundle {
    let mut bundle = Bundle::default();
    for (header, payload) in messages {
        assert!(bundle.push(header, payload));
    }
    bundle
}

fn read(attachment: &[u8], payload: &[u8]) -> Result<Parts, BundleError> {
    let parts = BundleParts::read(attachment, payload)?;
    assert!(parts.len() > 0, "a bundle holds something");
    let owned = parts.map(|(header, payload)| (header.to_vec(), payload.to_vec()));
    Ok(owned.collect())
}

proptest! {
    #[test]
    fn messages_come_out_as_they_went_in(
        messages in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..99), prop::collection::vec(any::<u8>(), 0..999)),
            1..50,
        ),
    ) {
        let (attachment, payload) = bundle(&messages).into_parts();
        prop_assert!(BundleParts::is_begun_by(&attachment));
        prop_assert_eq!(read(&attachment, &payload), Ok(messages));
    }

    /// Whatever came: an error, or messages that take all of the payload and nothing else.
    #[test]
    fn any_bytes_are_refused_or_read_to_the_last(
        rows in prop::collection::vec((0_u32..40, 0_u32..40), 0..9),
        cut in 0_usize..9,
        flip in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        n_payload in 0_usize..400,
    ) {
        let mut attachment = BUNDLE_MAGIC.to_vec();
        for (header, payload) in &rows {
            attachment.extend(header.to_le_bytes());
            attachment.extend(payload.to_le_bytes());
        }
        if let Some((at, byte)) = flip {
            let at = at.index(attachment.len());
            attachment[at] = byte;
        }
        attachment.truncate(attachment.len() - cut.min(attachment.len()));
        let payload: Vec<u8> = (0..n_payload).map(|idx| idx as u8).collect();
        if let Ok(parts) = read(&attachment, &payload) {
            let joined: Vec<u8> = parts.into_iter().flat_map(|(a, b)| [a, b].concat()).collect();
            prop_assert_eq!(joined, payload);
        }
    }
}

#[test]
fn it_is_full_at_its_limits_and_stays_whole() {
    let mut small = Bundle::default();
    while small.push(&[1], &[]) {}
    assert_eq!(small.len(), BUNDLE_MESSAGES_MAX);
    let mut large = Bundle::default();
    while large.push(&[1; 50], &[2; 950]) {}
    assert!(large.len_bytes() <= BUNDLE_BYTES_MAX && large.len_bytes() + 1_008 > BUNDLE_BYTES_MAX);
    let n_left = BUNDLE_BYTES_MAX - large.len_bytes() - ROW_BYTES;
    assert!(!large.push(&[3], &vec![4; n_left]), "a byte too many");
    assert!(large.push(&[], &vec![4; n_left]));
    assert_eq!(large.len_bytes(), BUNDLE_BYTES_MAX);
    for full in [small, large] {
        let n = full.len();
        let (attachment, payload) = full.into_parts();
        assert_eq!(read(&attachment, &payload).unwrap().len(), n);
    }
    assert!(!Bundle::default().push(&vec![0; BUNDLE_BYTES_MAX], &[]));
}

#[test]
fn what_is_no_bundle_is_refused_with_what_came() {
    let (attachment, payload) = bundle(&vec![(vec![1; 9], vec![2; 20])]).into_parts();
    let magic = BundleError::Magic {
        got: b"ONIC".to_vec(),
    };
    assert_eq!(read(b"ONIC56781234", &payload), Err(magic));
    assert_eq!(read(b"", &[]), Err(BundleError::Magic { got: Vec::new() }));
    let table = |got| Err(BundleError::Table { got });
    assert_eq!(read(&BUNDLE_MAGIC, &[]), table(0), "no message");
    assert_eq!(read(&attachment[..11], &payload), table(7));
    let (expected, got) = (29, 28);
    let error = BundleError::Payload { expected, got };
    assert_eq!(read(&attachment, &payload[..got]), Err(error));
    let huge = [&BUNDLE_MAGIC[..], &[0xff; ROW_BYTES]].concat();
    let expected = 2 * u64::from(u32::MAX);
    assert_eq!(
        read(&huge, &[]),
        Err(BundleError::Payload { expected, got: 0 })
    );
    let got = BUNDLE_BYTES_MAX + 1;
    let too_long = vec![0; got - attachment.len()];
    assert_eq!(
        read(&attachment, &too_long),
        Err(BundleError::TooLong { got })
    );
    let rows = [
        &BUNDLE_MAGIC[..],
        &[0; ROW_BYTES * (BUNDLE_MESSAGES_MAX + 1)],
    ]
    .concat();
    assert_eq!(read(&rows, &[]), table(rows.len() - BUNDLE_MAGIC.len()));
}

#[test]
fn no_header_begins_as_a_bundle_does() {
    let error = crate::Message::decode(&BUNDLE_MAGIC, &[]).unwrap_err();
    assert_eq!(error.code(), crate::ErrorCode::BAD_PROTOBUF);
}
