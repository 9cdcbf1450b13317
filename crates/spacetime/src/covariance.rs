//! Covariances of poses and twists.

use nalgebra::{Matrix3, SMatrix};

use crate::Pose2;

/// How far a matrix may be from symmetric, relative to its largest entry, before it is refused.
const ASYMMETRY_MAX: f64 = 1e-9;
/// How negative an eigenvalue may be, relative to the largest entry: rounding, not meaning.
const NEGATIVE_EIGENVALUE_MAX: f64 = 1e-9;

/// Why a matrix is no covariance.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CovarianceError {
    /// An entry is NaN or infinite.
    #[error("expected finite covariance entries, got {value} at row {row}, column {column}")]
    NotFinite {
        /// Row of the first such entry.
        row: usize,
        /// Column of the first such entry.
        column: usize,
        /// What came.
        value: f64,
    },
    /// The matrix differs from its transpose.
    #[error("expected a symmetric covariance, entries differ by {difference} across the diagonal")]
    Asymmetric {
        /// The largest difference.
        difference: f64,
    },
    /// The matrix has a negative eigenvalue.
    #[error("expected a positive semi-definite covariance, smallest eigenvalue is {eigenvalue}")]
    Negative {
        /// The smallest eigenvalue.
        eigenvalue: f64,
    },
}

/// A symmetric positive semi-definite matrix over the `N` tangent directions of a pose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Covariance<const N: usize>(SMatrix<f64, N, N>);

/// Covariance of a planar pose in its own frame: rows and columns x (m), y (m), yaw (rad).
pub type Covariance2 = Covariance<3>;

/// Covariance of a pose in space in its own frame: x, y, z (m), then rotation about x, y, z (rad).
pub type Covariance3 = Covariance<6>;

fn check<const N: usize>(matrix: &SMatrix<f64, N, N>) -> Result<(), CovarianceError> {
    for row in 0..N {
        for column in 0..N {
            let value = matrix[(row, column)];
            if !value.is_finite() {
                return Err(CovarianceError::NotFinite { row, column, value });
            }
        }
    }
    let scale = matrix.amax().max(f64::MIN_POSITIVE);
    let difference = (matrix - matrix.transpose()).amax();
    if difference > ASYMMETRY_MAX * scale {
        return Err(CovarianceError::Asymmetric { difference });
    }
    Ok(())
}

macro_rules! covariance_of_size {
    ($n:literal) => {
        impl Covariance<$n> {
            /// Checks and keeps a matrix; tiny asymmetry from rounding is averaged away.
            ///
            /// # Errors
            /// [`CovarianceError`] when it is not finite, symmetric and positive semi-definite.
            pub fn new(matrix: SMatrix<f64, $n, $n>) -> Result<Self, CovarianceError> {
                check(&matrix)?;
                let matrix = (matrix + matrix.transpose()) * 0.5;
                let eigenvalue = matrix.symmetric_eigenvalues().min();
                if eigenvalue < -NEGATIVE_EIGENVALUE_MAX * matrix.amax() {
                    return Err(CovarianceError::Negative { eigenvalue });
                }
                Ok(Self(matrix))
            }

            /// Complete certainty.
            pub fn zero() -> Self {
                Self(SMatrix::zeros())
            }

            /// Independent directions with the given standard deviations.
            pub fn from_sigmas(sigmas: [f64; $n]) -> Self {
                let variances = sigmas.map(|sigma| sigma * sigma);
                Self(SMatrix::from_diagonal(&variances.into()))
            }

            /// The matrix.
            pub fn matrix(&self) -> &SMatrix<f64, $n, $n> {
                &self.0
            }

            /// The sum, for independent errors in the same frame.
            pub fn plus(&self, other: &Self) -> Self {
                Self(self.0 + other.0)
            }
        }
    };
}

covariance_of_size!(3);
covariance_of_size!(6);

impl Covariance2 {
    /// The same uncertainty seen from frame `a`, for `a_from_b` and a covariance in `b`.
    pub fn seen_from(&self, a_from_b: Pose2) -> Self {
        let adjoint = a_from_b.adjoint();
        let moved: Matrix3<f64> = adjoint * self.0 * adjoint.transpose();
        Self((moved + moved.transpose()) * 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_covariance_is_refused() {
        let mut matrix = Matrix3::identity();
        matrix[(0, 1)] = 0.5;
        assert!(matches!(
            Covariance2::new(matrix),
            Err(CovarianceError::Asymmetric { .. })
        ));
        let negative = Matrix3::from_diagonal(&[1.0, -0.1, 1.0].into());
        assert!(matches!(
            Covariance2::new(negative),
            Err(CovarianceError::Negative { .. })
        ));
        let nan = Matrix3::from_element(f64::NAN);
        assert!(matches!(
            Covariance2::new(nan),
            Err(CovarianceError::NotFinite { .. })
        ));
    }

    proptest! {
        #[test]
        fn moving_and_adding_keep_a_covariance(
            entries in proptest::array::uniform9(-2.0..2.0f64),
            pose in (-20.0..20.0f64, -20.0..20.0f64, -3.0..3.0f64),
        ) {
            let root = Matrix3::from_row_slice(&entries);
            let covariance = Covariance2::new(root * root.transpose()).unwrap();
            let moved = covariance.seen_from(Pose2::new(pose.0, pose.1, pose.2));
            prop_assert!(Covariance2::new(*moved.matrix()).is_ok());
            prop_assert!(Covariance2::new(*moved.plus(&covariance).matrix()).is_ok());
        }
    }
}
