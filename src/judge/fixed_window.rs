//! The comparison of two finished windows that users of automated canary analysis expect: Kayenta's Mann-Whitney
//! classifier and score (spinnaker/kayenta).
//!
//! It judges a window once. Looked at again and again its error adds up, and in the first minutes it says nothing; the
//! monitors of [`judge`](super) have neither trouble. So it is kept apart from them and shares none of their code.

mod classifier;
mod effect_size;
mod mann_whitney;
mod normal;
mod samples;
mod scorer;
mod zeroin;

pub use classifier::{Class, Classification, Classifier, Direction, Test};
pub use effect_size::{Effect, cohens_d, common_language, mean_ratio};
pub use mann_whitney::{MannWhitney, WilcoxonError, mann_whitney, wilcoxon};
pub use normal::quantile as normal_quantile;
pub use samples::{NanStrategy, clean, is_iqr_outlier, is_sigma_outlier, percentile, without_outliers};
pub use scorer::{Grade, GroupScore, Score, ScoredMetric, Thresholds, score};
