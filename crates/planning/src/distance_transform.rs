//! Distance from every cell of a grid to the nearest point.
//!
//! The exact Euclidean transform of Felzenszwalb & Huttenlocher ("Distance transforms of sampled
//! functions", 2012) in time linear in the cells, with the points' own coordinates instead of
//! their cells': distances to walls are then good to millimetres on a grid of decimetres.

/// Where no point is: its square still fits well into `f32`.
const NOWHERE_M: f32 = 1e6;

/// A square grid of points around the origin, and the distances to them. Buffers are reused.
#[derive(Debug, Clone)]
pub(crate) struct DistanceTransform {
    n_side: usize,
    cell_m: f32,
    half_size_m: f32,
    /// A point in each cell that has one, else [`NOWHERE_M`] twice. `[row, column]`
    point_x_m: Vec<f32>,
    point_y_m: Vec<f32>,
    /// The point nearest in the same column, looking back and forth. `[row, column]`
    near_x_m: Vec<f32>,
    near_y_m: Vec<f32>,
    /// The lower envelope along a row: vertices, heights, and where each begins to be lowest.
    vertices_m: Vec<f32>,
    heights_m2: Vec<f32>,
    begins_m: Vec<f32>,
}

impl DistanceTransform {
    pub(crate) fn new(n_side: usize, cell_m: f32) -> Self {
        let n_cells = n_side * n_side;
        Self {
            n_side,
            cell_m,
            half_size_m: 0.5 * n_side as f32 * cell_m,
            point_x_m: vec![NOWHERE_M; n_cells],
            point_y_m: vec![NOWHERE_M; n_cells],
            near_x_m: vec![NOWHERE_M; n_cells],
            near_y_m: vec![NOWHERE_M; n_cells],
            vertices_m: vec![0.0; n_side],
            heights_m2: vec![0.0; n_side],
            begins_m: vec![0.0; n_side],
        }
    }

    pub(crate) fn clear(&mut self) {
        self.point_x_m.fill(NOWHERE_M);
        self.point_y_m.fill(NOWHERE_M);
    }

    /// Adds a point; what lies outside of the grid is dropped. A cell keeps one of its points.
    pub(crate) fn add(&mut self, x_m: f32, y_m: f32) {
        let (column, row) = (self.cell_of(x_m), self.cell_of(y_m));
        if let (Some(column), Some(row)) = (column, row) {
            self.point_x_m[row * self.n_side + column] = x_m;
            self.point_y_m[row * self.n_side + column] = y_m;
        }
    }

    fn cell_of(&self, position_m: f32) -> Option<usize> {
        let cell = (position_m + self.half_size_m) / self.cell_m;
        (cell >= 0.0 && cell < self.n_side as f32).then_some(cell as usize)
    }

    /// Coordinate of a cell's middle.
    pub(crate) fn middle_m(&self, cell: usize) -> f32 {
        (cell as f32 + 0.5) * self.cell_m - self.half_size_m
    }

    /// Writes the distance of each cell's middle to the nearest point, at most `far_m`.
    ///
    /// # Shapes
    /// `distances_m`: `[row, column]`, rows along y, columns along x.
    pub(crate) fn write(&mut self, far_m: f32, distances_m: &mut [f32]) {
        self.find_nearest_in_columns();
        for row in 0..self.n_side {
            let n_vertices = self.lower_envelope(row);
            let from = row * self.n_side;
            let distances_m = &mut distances_m[from..from + self.n_side];
            if n_vertices == 0 {
                distances_m.fill(far_m);
            } else {
                self.read_envelope(n_vertices, far_m, distances_m);
            }
        }
    }

    /// All columns at once, row after row: loops that the compiler turns into vector code.
    fn find_nearest_in_columns(&mut self) {
        let n = self.n_side;
        self.near_x_m.copy_from_slice(&self.point_x_m);
        self.near_y_m.copy_from_slice(&self.point_y_m);
        for row in 1..n {
            let middle_m = self.middle_m(row);
            let (before, from_here) = self.near_x_m.split_at_mut(row * n);
            let (before_x, here_x) = (&before[(row - 1) * n..], &mut from_here[..n]);
            let (before, from_here) = self.near_y_m.split_at_mut(row * n);
            let (before_y, here_y) = (&before[(row - 1) * n..], &mut from_here[..n]);
            take_nearer(middle_m, (before_x, before_y), (here_x, here_y));
        }
        for row in (0..n - 1).rev() {
            let middle_m = self.middle_m(row);
            let (to_here, after) = self.near_x_m.split_at_mut((row + 1) * n);
            let (here_x, after_x) = (&mut to_here[row * n..], &after[..n]);
            let (to_here, after) = self.near_y_m.split_at_mut((row + 1) * n);
            let (here_y, after_y) = (&mut to_here[row * n..], &after[..n]);
            take_nearer(middle_m, (after_x, after_y), (here_x, here_y));
        }
    }

    /// The parabolas `height + (x - vertex)^2` that are lowest somewhere along a row.
    fn lower_envelope(&mut self, row: usize) -> usize {
        let middle_m = self.middle_m(row);
        let cells = row * self.n_side..(row + 1) * self.n_side;
        let near = self.near_x_m[cells.clone()]
            .iter()
            .zip(&self.near_y_m[cells]);
        let mut n_vertices = 0;
        for (&vertex_m, &near_y_m) in near {
            if near_y_m >= NOWHERE_M {
                continue;
            }
            let height_m2 = (near_y_m - middle_m) * (near_y_m - middle_m);
            let mut begin_m = f32::NEG_INFINITY;
            while n_vertices > 0 {
                let last = n_vertices - 1;
                let apart_m = vertex_m - self.vertices_m[last];
                let rise_m2 = height_m2 - self.heights_m2[last];
                // Vertices rise with their columns; two may meet on the line between them.
                begin_m = if apart_m > 0.0 {
                    0.5 * (rise_m2 / apart_m + vertex_m + self.vertices_m[last])
                } else if rise_m2 < 0.0 {
                    f32::NEG_INFINITY
                } else {
                    f32::INFINITY
                };
                if begin_m > self.begins_m[last] {
                    break;
                }
                n_vertices -= 1;
                begin_m = f32::NEG_INFINITY;
            }
            self.vertices_m[n_vertices] = vertex_m;
            self.heights_m2[n_vertices] = height_m2;
            self.begins_m[n_vertices] = begin_m;
            n_vertices += 1;
        }
        n_vertices
    }

    fn read_envelope(&self, n_vertices: usize, far_m: f32, distances_m: &mut [f32]) {
        let mut vertex = 0;
        for (column, distance_m) in distances_m.iter_mut().enumerate() {
            let middle_m = self.middle_m(column);
            while vertex + 1 < n_vertices && self.begins_m[vertex + 1] <= middle_m {
                vertex += 1;
            }
            let apart_m = middle_m - self.vertices_m[vertex];
            *distance_m = (apart_m * apart_m + self.heights_m2[vertex])
                .sqrt()
                .min(far_m);
        }
    }
}

/// Replaces points by those of a neighbouring row where these are nearer to the row's middle.
fn take_nearer(middle_m: f32, other: (&[f32], &[f32]), here: (&mut [f32], &mut [f32])) {
    let others = other.0.iter().zip(other.1);
    let (x_m, y_m) = here;
    let here = x_m.iter_mut().zip(y_m);
    for ((x_m, y_m), (other_x_m, other_y_m)) in here.zip(others) {
        let is_nearer = (other_y_m - middle_m).abs() < (*y_m - middle_m).abs();
        *x_m = if is_nearer { *other_x_m } else { *x_m };
        *y_m = if is_nearer { *other_y_m } else { *y_m };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const N_SIDE: usize = 24;
    const CELL_M: f32 = 0.25;
    const FAR_M: f32 = 50.0;

    fn transform(points: &[(f32, f32)]) -> (DistanceTransform, Vec<f32>) {
        let mut transform = DistanceTransform::new(N_SIDE, CELL_M);
        for &(x_m, y_m) in points {
            transform.add(x_m, y_m);
        }
        let mut distances_m = vec![0.0; N_SIDE * N_SIDE];
        transform.write(FAR_M, &mut distances_m);
        (transform, distances_m)
    }

    #[test]
    fn without_points_everything_is_far() {
        let (_, distances_m) = transform(&[(100.0, 0.0), (f32::NAN, 0.0)]);
        assert!(distances_m.iter().all(|&it| it == FAR_M));
    }

    #[test]
    fn one_point_has_circles_around_it() {
        let (grid, distances_m) = transform(&[(0.31, -1.17)]);
        for row in 0..N_SIDE {
            for column in 0..N_SIDE {
                let (x, y) = (grid.middle_m(column), grid.middle_m(row));
                let expected = (x - 0.31).hypot(y + 1.17);
                let got = distances_m[row * N_SIDE + column];
                assert!((got - expected).abs() < 1e-5, "({x}, {y}): {got}");
            }
        }
    }

    proptest! {
        #[test]
        fn distances_are_those_of_real_points_and_at_most_a_cell_too_long(
            points in proptest::collection::vec((-2.99..2.99f32, -2.99..2.99f32), 1..60),
        ) {
            let (grid, distances_m) = transform(&points);
            for row in 0..N_SIDE {
                for column in 0..N_SIDE {
                    let (x, y) = (grid.middle_m(column), grid.middle_m(row));
                    let to = |p: &(f32, f32)| (p.0 - x).hypot(p.1 - y);
                    let nearest = points.iter().map(to).fold(FAR_M, f32::min);
                    let got = distances_m[row * N_SIDE + column];
                    prop_assert!(got > nearest - 1e-4, "{got} < {nearest}");
                    prop_assert!(got < nearest + CELL_M * 2.0_f32.sqrt(), "{got} > {nearest}");
                }
            }
        }
    }
}
