//! Products in tiles are the same as in loops, on machines that have tiles.

use sedge_matrix_tiles::{COLUMNS, GROUP, ROWS, Rows, Sums, Tiles};

/// Bytes that look random, the same each time.
fn bytes(n: usize, seed: usize) -> Vec<u8> {
    let byte = |k: usize| ((k * 7919 + seed * 104_729) % 2003 % 256) as u8;
    (0..n).map(byte).collect()
}

fn in_loops(rows: &[u8], n_in: usize, columns: &[i8]) -> Vec<[i32; COLUMNS]> {
    let row = |row: &[u8]| {
        let mut sums = [0; COLUMNS];
        for (k, x) in row[..columns.len() / COLUMNS].iter().enumerate() {
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

/// Rows with so many bytes between one and the next.
fn spread(rows: &[u8], n_in: usize, between: usize) -> Vec<u8> {
    let gap = vec![77; between];
    rows.chunks_exact(n_in)
        .flat_map(|row| [row, &gap])
        .flatten()
        .copied()
        .collect()
}

fn rows(values: &[u8], stride: usize, n_tiles: usize) -> Rows<'_, u8> {
    Rows {
        values,
        stride,
        n_tiles,
    }
}

#[test]
fn sums_are_those_of_loops() {
    let Some(tiles) = tiles() else { return };
    for (n_tiles, n_in) in [(1, 64), (2, 64), (1, 256), (2, 384), (2, 1024)] {
        let n_rows = n_tiles * ROWS;
        let inputs = bytes(n_rows * n_in, 1);
        let columns: Vec<i8> = bytes(n_in * COLUMNS, 2)
            .iter()
            .map(|&it| it as i8)
            .collect();
        for between in [0, 64] {
            let mut sums = Sums::default();
            let inputs = spread(&inputs, n_in, between);
            tiles.multiply(rows(&inputs, n_in + between, n_tiles), &columns, &mut sums);
            for (row, expected) in in_loops(&inputs, n_in + between, &columns)
                .iter()
                .enumerate()
            {
                let [left, right] = &sums.0[row / ROWS];
                let got = [left[row % ROWS], right[row % ROWS]].concat();
                assert_eq!(got, expected, "row {row} of {n_rows} with {n_in} inputs");
            }
        }
    }
}

#[test]
fn largest_bytes_do_not_saturate() {
    let Some(tiles) = tiles() else { return };
    let (inputs, columns) = ([255; ROWS * 64], [-128; COLUMNS * 64]);
    let mut sums = Sums::default();
    tiles.multiply(rows(&inputs, 64, 1), &columns, &mut sums);
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
    mine.multiply(rows(&[1; ROWS * 64], 64, 1), &[1; COLUMNS * 64], &mut sums);
    drop(mine);
    assert_eq!(sums.0[0][0][0][0], 64);
    assert!(tiles().is_some(), "they can be had again");
}

#[test]
#[should_panic(expected = "columns in multiples of 2048, got 1920")]
fn inputs_that_fill_no_tile_are_refused() {
    match Tiles::load() {
        Some(tiles) => tiles.multiply(rows(&[0; 960], 60, 1), &[0; 1920], &mut Sums::default()),
        None => panic!("columns in multiples of 2048, got 1920 (skipped)"),
    }
}

#[test]
#[should_panic(expected = "expected 2048 bytes of rows, got 1024")]
fn rows_that_are_not_there_are_refused() {
    match Tiles::load() {
        Some(tiles) => tiles.multiply(rows(&[0; 1024], 64, 2), &[0; 2048], &mut Sums::default()),
        None => panic!("expected 2048 bytes of rows, got 1024 (skipped)"),
    }
}
