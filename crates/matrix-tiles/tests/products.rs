//! Products in tiles are the same as in loops, on machines that have tiles.

use sedge_matrix_tiles::{COLUMNS, GROUP, ROWS, Sums, Tiles};

/// Bytes that look random, the same each time.
fn bytes(n: usize, seed: usize) -> Vec<u8> {
    let byte = |k: usize| ((k * 7919 + seed * 104_729) % 2003 % 256) as u8;
    (0..n).map(byte).collect()
}

fn in_loops(rows: &[u8], n_in: usize, columns: &[i8]) -> Vec<[i32; COLUMNS]> {
    let row = |row: &[u8]| {
        let mut sums = [0; COLUMNS];
        for (k, x) in row.iter().enumerate() {
            let group = &columns[k / GROUP * COLUMNS * GROUP..][..COLUMNS * GROUP];
            for (sum, weights) in sums.iter_mut().zip(group.as_chunks::<GROUP>().0) {
                *sum += i32::from(*x) * i32::from(weights[k % GROUP]);
            }
        }
        sums
    };
    rows.chunks_exact(n_in).map(row).collect()
}

/// Why there is nothing to test, where there is not.
fn tiles() -> Option<Tiles> {
    let tiles = Tiles::load();
    if tiles.is_none() {
        eprintln!("skipped: this processor or kernel gives no tiles");
    }
    tiles
}

#[test]
fn sums_are_those_of_loops() {
    let Some(tiles) = tiles() else { return };
    for (n_tiles, n_in) in [(1, 64), (2, 64), (1, 256), (2, 384), (2, 1024)] {
        let n_rows = n_tiles * ROWS;
        let rows = bytes(n_rows * n_in, 1);
        let columns: Vec<i8> = bytes(n_in * COLUMNS, 2)
            .iter()
            .map(|&it| it as i8)
            .collect();
        let mut sums = Sums::default();
        tiles.multiply(&rows, n_in, &columns, &mut sums);
        for (row, expected) in in_loops(&rows, n_in, &columns).iter().enumerate() {
            let [left, right] = &sums.0[row / ROWS];
            let got = [left[row % ROWS], right[row % ROWS]].concat();
            assert_eq!(got, expected, "row {row} of {n_rows} with {n_in} inputs");
        }
    }
}

#[test]
fn largest_bytes_do_not_saturate() {
    let Some(tiles) = tiles() else { return };
    let (rows, columns) = ([255; ROWS * 64], [-128; COLUMNS * 64]);
    let mut sums = Sums::default();
    tiles.multiply(&rows, 64, &columns, &mut sums);
    assert_eq!(sums.0[0], [[[255 * -128 * 64; ROWS]; ROWS]; 2]);
    // Rows that are not there.
    assert_eq!(sums.0[1], [[[0; ROWS]; ROWS]; 2]);
}

#[test]
fn who_drops_tiles_leaves_those_of_others() {
    let Some(mine) = tiles() else { return };
    drop(tiles());
    std::thread::spawn(|| drop(tiles()))
        .join()
        .expect("no panic");
    let mut sums = Sums::default();
    mine.multiply(&[1; ROWS * 64], 64, &[1; COLUMNS * 64], &mut sums);
    drop(mine);
    assert_eq!(sums.0[0][0][0][0], 64);
    assert!(tiles().is_some(), "they can be had again");
}

#[test]
#[should_panic(expected = "expected inputs in multiples of 64, got 60")]
fn inputs_that_fill_no_tile_are_refused() {
    match Tiles::load() {
        Some(tiles) => tiles.multiply(&[0; 960], 60, &[0; 1920], &mut Sums::default()),
        None => panic!("expected inputs in multiples of 64, got 60 (skipped)"),
    }
}

#[test]
#[should_panic(expected = "bytes of rows")]
fn rows_that_fill_no_tile_are_refused() {
    match Tiles::load() {
        Some(tiles) => tiles.multiply(&[0; 640], 64, &[0; 2048], &mut Sums::default()),
        None => panic!("bytes of rows (skipped)"),
    }
}
