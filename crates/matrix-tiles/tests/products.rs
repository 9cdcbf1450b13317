//! Products in tiles are the same as in loops, on machines that have tiles.

use sedge_matrix_tiles::{
    COLUMNS, GROUP, NUMBERS, PAIR, PARTS, ROWS, Rows, SumRows, Sums, Tiles, parts,
};

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

fn rows<T>(values: &[T], stride: usize, n_tiles: usize) -> Rows<'_, T> {
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
#[should_panic(expected = "expected columns in multiples of 2048, got 1920")]
fn inputs_that_fill_no_tile_are_refused() {
    match Tiles::load() {
        Some(tiles) => tiles.multiply(rows(&[0; 960], 60, 1), &[0; 1920], &mut Sums::default()),
        None => panic!("expected columns in multiples of 2048, got 1920 (skipped)"),
    }
}

#[test]
#[should_panic(expected = "expected rows of 2048, got 1024")]
fn rows_that_are_not_there_are_refused() {
    match Tiles::load() {
        Some(tiles) => tiles.multiply(rows(&[0; 1024], 64, 2), &[0; 2048], &mut Sums::default()),
        None => panic!("expected rows of 2048, got 1024 (skipped)"),
    }
}

/// Numbers of all sizes that look random, the same each time.
fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let number = |k: usize| {
        let x = ((k * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
        x * [1.0, 1e-3, 70.0][k % 3]
    };
    (0..n).map(number).collect()
}

#[test]
fn a_number_is_the_sum_of_its_parts() {
    for x in numbers(1000, 3).into_iter().chain([0.0, 1e-30, 3e38]) {
        let parts = parts(x).map(|it| f32::from_bits(u32::from(it) << 16));
        let sum = parts[0] + (parts[1] + parts[2]);
        assert_eq!(sum.to_bits(), x.to_bits(), "{parts:?}");
    }
}

/// Of `[n_in, COLUMNS]` weights, what tiles read.
fn columns_of(weights: &[f32], n_in: usize) -> Vec<u16> {
    let mut columns = Vec::new();
    for first in (0..n_in).step_by(NUMBERS) {
        for part in 0..PARTS {
            for k in (first..first + NUMBERS).step_by(PAIR) {
                for j in 0..COLUMNS {
                    columns.extend((k..k + PAIR).map(|k| parts(weights[k * COLUMNS + j])[part]));
                }
            }
        }
    }
    columns
}

/// Of numbers, what tiles read.
fn rows_of(numbers: &[f32]) -> Vec<u16> {
    let (chunks, _) = numbers.as_chunks::<NUMBERS>();
    let of_chunk = |chunk: &[f32; NUMBERS]| {
        let chunk = *chunk;
        (0..PARTS).flat_map(move |part| chunk.map(|x| parts(x)[part]))
    };
    chunks.iter().flat_map(of_chunk).collect()
}

#[test]
fn numbers_in_parts_are_multiplied_to_the_last_digits() {
    let Some(tiles) = tiles() else { return };
    for (n_tiles, n_in) in [(1, 32), (2, 32), (1, 384), (2, 384)] {
        let n_rows = n_tiles * ROWS;
        let (x, weights) = (numbers(n_rows * n_in, 1), numbers(n_in * COLUMNS, 2));
        let stride = COLUMNS + 16;
        let mut sums = vec![7.0; n_rows * stride];
        let inputs = rows_of(&x);
        let columns = columns_of(&weights, n_in);
        let inputs = rows(&inputs, n_in * PARTS, n_tiles);
        for bias in [Some(&[0.25; COLUMNS]), None] {
            let mut to = SumRows {
                values: &mut sums,
                stride,
                bias,
            };
            tiles.add_parts(inputs, &columns, &mut to);
        }
        for row in 0..n_rows {
            for column in 0..COLUMNS {
                let terms = (0..n_in).map(|k| {
                    2.0 * f64::from(x[row * n_in + k]) * f64::from(weights[k * COLUMNS + column])
                });
                let (exact, size) = terms.fold((0.25, 0.25), |(sum, size), term| {
                    (sum + term, size + term.abs())
                });
                let got = sums[row * stride + column];
                let off = (f64::from(got) - exact).abs() / size;
                // A few last digits of the largest of the terms' sums.
                assert!(
                    off < 4.0 * f64::from(f32::EPSILON),
                    "{got} {exact}, off by {off}"
                );
            }
        }
    }
}
