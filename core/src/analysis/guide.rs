//! How to read each column: formula, range, unit, source, the option that brings it and what it costs. `COLUMNS` has a line of meaning
//! for each; with it this is what `eigenscope explain` prints and `docs/metrics.md` is made of.

/// What is to be known of one column, or of several that are read alike.
#[derive(Clone, Copy, Debug)]
pub struct Guide {
    /// Names of columns.
    pub columns: &'static [&'static str],
    /// How it is computed; empty where the meaning says it all.
    pub formula: &'static str,
    /// Values it takes.
    pub range: &'static str,
    /// Its unit. λ is the square of the unit of the weights.
    pub unit: &'static str,
    /// What it says about a layer.
    pub reading: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// The option that brings it.
    pub option: &'static str,
    /// What it costs.
    pub cost: &'static str,
}

/// Columns that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// Its columns.
    pub guides: &'static [Guide],
}

/// The guide of a column.
pub fn guide(column: &str) -> Option<&'static Guide> {
    CHAPTERS.iter().flat_map(|c| c.guides).find(|g| g.columns.contains(&column))
}

const ALWAYS: &str = "always";
const FREE: &str = "none beside the spectrum";
const NONE: &str = "none";

macro_rules! chapters {
    ($($title:literal: $([$($column:literal),+] {
        formula $formula:literal; range $range:literal; unit $unit:expr;
        read $reading:literal; source $source:expr; option $option:expr; cost $cost:expr;
    })+)+) => {
        &[$(Chapter { title: $title, guides: &[$(Guide {
            columns: &[$($column),+], formula: $formula, range: $range, unit: $unit, reading: $reading,
            source: $source, option: $option, cost: $cost,
        }),+] }),+]
    };
}

/// Every column, by subject.
pub static CHAPTERS: &[Chapter] = chapters! {
    "The layer":
    ["layer_id", "name", "longname"] {
        formula ""; range "a number; names as in the file"; unit NONE;
        read "Names the layer in filters (`--layers`) and in other reports. Two rows of one model share neither `layer_id` nor `longname`, unless slices are not pooled.";
        source "Eigenscope, after WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    ["layer_type"] {
        formula ""; range "one of ten words"; unit NONE;
        read "Decides how the tensor becomes matrices: what the format says, else rank and name.";
        source "Eigenscope, after WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    ["status", "reason"] {
        formula ""; range "success, failed, skipped; words"; unit NONE;
        read "Only rows with success have an alpha. A skipped tensor was not meant to be analysed; a failed one was, and the reason says what is wrong with it.";
        source "Eigenscope; the first after WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    ["N", "M", "Q"] {
        formula "Q = N / M"; range "N >= M >= 1; Q >= 1"; unit NONE;
        read "Q is the aspect ratio in the Marchenko-Pastur law. A larger M gives a longer spectrum and a surer fit; below about 50 alpha is noisy.";
        source "Martin, Mahoney 2021, JMLR 22, 165 (arXiv:1810.01075)";
        option ALWAYS; cost FREE;
    }
    ["rf"] {
        formula "product of the kernel's sides"; range "1 and above"; unit NONE;
        read "Above 1 the spectrum is that of several matrices, pooled unless `--no-pool` is given.";
        source "WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    ["slice_id"] {
        formula ""; range "0 to rf - 1"; unit NONE;
        read "Which slice the row is about; every slice has its own fit.";
        source "WeightWatcher 0.7";
        option "`--no-pool`"; cost "a fit for each slice";
    }
    ["dtype", "shape"] {
        formula ""; range "as stored"; unit NONE;
        read "The precision of the type decides which singular values are rounding (`matrix_rank`, `rank_loss`).";
        source "Eigenscope";
        option ALWAYS; cost FREE;
    }
    ["combines", "Xflag"] {
        formula "X = W0 W1 / (‖W0‖ ‖W1‖), Frobenius norms, sides aligned"; range "names of layers; true or empty"; unit NONE;
        read "A row about several layers has no tensor of its own: its spectrum tells of correlations between them.";
        source "WeightWatcher 0.7, options intra and stacked";
        option "--intra, --stacked, --add-biases"; cost "a matrix product, and a spectrum for each row";
    }
    "The spectrum":
    ["has_esd", "num_evals"] {
        formula "num_evals = M rf, pooled"; range "0 and above"; unit NONE;
        read "How many eigenvalues there are to fit.";
        source "WeightWatcher 0.7";
        option ALWAYS; cost "the spectrum itself: N M² + 4/3 M³ operations a matrix, nearly all of an analysis";
    }
    ["sv_max", "sv_min"] {
        formula "σ = √λ"; range "0 and above"; unit "that of the weights";
        read "A ratio sv_max / sv_min far above that of the other layers is an ill-conditioned layer; sv_min at rounding level means lost directions.";
        source "linear algebra; column names of WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    ["lambda_max", "spectral_norm", "log_spectral_norm"] {
        formula "max λ"; range "0 and above; the logarithm any real number"; unit "that of the weights, squared";
        read "How strongly the layer can stretch its input, squared. The two columns are one number under two names. Compare layers of one architecture and initialisation only.";
        source "Martin, Peng, Mahoney 2021, Nature Communications 12, 4122 (arXiv:2002.06716)";
        option ALWAYS; cost FREE;
    }
    ["norm", "log_norm"] {
        formula "Σ λ = Σ w²"; range "0 and above; the logarithm any real number"; unit "that of the weights, squared";
        read "Grows with size and training; falls under weight decay. Alone it ranks models of different depth or size badly.";
        source "Martin, Peng, Mahoney 2021, Nature Communications 12, 4122 (arXiv:2002.06716)";
        option ALWAYS; cost FREE;
    }
    ["stable_rank"] {
        formula "Σλ / max λ"; range "1 to num_evals"; unit NONE;
        read "How many directions carry the norm. Low and falling during training: the layer collapses onto a few directions.";
        source "Rudelson, Vershynin 2007, Journal of the ACM 54, 21";
        option ALWAYS; cost FREE;
    }
    ["matrix_rank", "rank_loss"] {
        formula "count of σ > σ_max N eps"; range "0 to num_evals"; unit NONE;
        read "rank_loss above 0: whole directions of the layer do nothing. Weights computed as low-rank products show it here.";
        source "numpy.linalg.matrix_rank, after Golub, Van Loan, Matrix Computations";
        option ALWAYS; cost FREE;
    }
    ["weak_rank_loss"] {
        formula "count of λ < 1e-6 λ_max"; range "0 to num_evals"; unit NONE;
        read "Directions a thousand times weaker than the strongest.";
        source "WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    ["entropy"] {
        formula "-Σ p ln p / ln(matrix_rank), p = λ / Σλ"; range "0 to 1"; unit NONE;
        read "1: all directions weigh the same, as right after initialisation with a square orthogonal matrix; 0: a single one. Falls as the layer learns correlations.";
        source "Roy, Vetterli 2007, EUSIPCO (effective rank); WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    "The power law of the tail":
    ["alpha"] {
        formula "1 + n / Σ ln(λ_i / xmin) over the n eigenvalues λ_i >= xmin"; range "above 1; none where the fit failed"; unit NONE;
        read "The main quality number of a layer. 2 to 6: heavy-tailed, well trained, the nearer to 2 the better. Above 6: nothing learned, or not fully (under-trained). Below 2: over-trained, or dominated by a few huge eigenvalues. Look at D and num_pl_spikes before believing an extreme value.";
        source "Clauset, Shalizi, Newman 2009, SIAM Review 51, 661 (arXiv:0706.1062); Martin, Mahoney 2021, JMLR 22, 165 (arXiv:1810.01075)";
        option "always; families other than `PL` by `--fit`"; cost "a scan over all xmin: small beside the spectrum";
    }
    ["xmin", "xmax"] {
        formula "xmin at the least D"; range "eigenvalues of the layer"; unit "that of λ";
        read "The fitted tail is xmin <= λ <= xmax. xmin near λ_max: the tail is a handful of values.";
        source "Clauset, Shalizi, Newman 2009, SIAM Review 51, 661 (arXiv:0706.1062)";
        option "always; rules by `--xmin`, `--xmax`, `--fix-fingers`"; cost FREE;
    }
    ["D"] {
        formula "max over k of |k / n - F(λ_k)| over the tail"; range "0 to 1"; unit NONE;
        read "Below about 0.05 for a long tail the power law describes it well; above 0.2 alpha says little. Shorter tails have larger D by chance (about 1 / √n).";
        source "Clauset, Shalizi, Newman 2009, SIAM Review 51, 661 (arXiv:0706.1062)";
        option ALWAYS; cost FREE;
    }
    ["sigma"] {
        formula "(alpha - 1) / √n"; range "above 0"; unit NONE;
        read "Alphas that differ by less than two sigma do not differ. It knows nothing of the choice of xmin: `--bootstrap` does.";
        source "Clauset, Shalizi, Newman 2009, SIAM Review 51, 661 (arXiv:0706.1062)";
        option ALWAYS; cost FREE;
    }
    ["num_pl_spikes"] {
        formula "count of λ >= xmin"; range "2 to num_evals"; unit NONE;
        read "Length of the tail. Below 20 alpha is little more than a hint.";
        source "WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    ["warning"] {
        formula ""; range "over-trained, under-trained, or empty"; unit NONE;
        read "The rule of thumb on alpha in a word.";
        source "WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
    ["alpha_weighted"] {
        formula "alpha log10 λ_max"; range "any real number"; unit NONE;
        read "alpha-hat: correlates with test accuracy over models of one family; smaller is better. Needs comparable normalisation, as it changes with the scale of the weights.";
        source "Martin, Peng, Mahoney 2021, Nature Communications 12, 4122 (arXiv:2002.06716)";
        option ALWAYS; cost FREE;
    }
    ["log_alpha_norm"] {
        formula "log10 Σ λ^alpha"; range "any real number"; unit NONE;
        read "The same with all eigenvalues in place of the largest (the alpha-Schatten norm).";
        source "Martin, Peng, Mahoney 2021, Nature Communications 12, 4122 (arXiv:2002.06716)";
        option ALWAYS; cost FREE;
    }
    ["num_fingers", "raw_alpha"] {
        formula ""; range "0 to max_fingers; above 1"; unit NONE;
        read "Fingers are a few eigenvalues beyond the tail that pull alpha down. raw_alpha far from alpha: the layer has them.";
        source "WeightWatcher 0.7";
        option "`--fix-fingers clip_xmax`"; cost "a fit for each value tried";
    }
    ["Lambda"] {
        formula "p(λ) ~ λ^-alpha exp(-Lambda λ)"; range "0 and above"; unit "1 / that of λ";
        read "0: no cut-off. Large beside 1 / λ_max: the tail is nearer to an exponential than to a power law.";
        source "Clauset, Shalizi, Newman 2009, SIAM Review 51, 661 (arXiv:0706.1062)";
        option "`--fit TPL`, `--fit E_TPL`"; cost "a fit by iterations at every xmin";
    }
    "Other families, and how sure alpha is":
    ["best_fit"] {
        formula ""; range "PL, TPL, EXP, S_EXP, LOG_N"; unit NONE;
        read "Where it is neither PL nor TPL, alpha is the slope of something else. A short tail cannot tell families apart and ends with PL.";
        source "Alstott, Bullmore, Plenz 2014, PLoS ONE 9, e85777; WeightWatcher 0.7";
        option "`--compare`"; cost "four maximum-likelihood fits of the tail";
    }
    ["R_TPL", "R_EXP", "R_S_EXP", "R_LOG_N"] {
        formula "Σ ln(p_PL / p_other) / (√n sd)"; range "any real number"; unit NONE;
        read "Below 0 the other family is likelier; believe the sign only where the p beside it is below 0.1.";
        source "Vuong 1989, Econometrica 57, 307; Clauset, Shalizi, Newman 2009";
        option "`--compare`"; cost "four maximum-likelihood fits of the tail";
    }
    ["p_TPL", "p_EXP", "p_S_EXP", "p_LOG_N"] {
        formula "erfc(|R| / √2); chi-squared for TPL"; range "0 to 1"; unit NONE;
        read "Above 0.1 the tail does not decide between the two families.";
        source "Vuong 1989, Econometrica 57, 307; Clauset, Shalizi, Newman 2009";
        option "`--compare`"; cost "with R";
    }
    ["alpha_se", "alpha_lo", "alpha_hi"] {
        formula ""; range "above 0; alpha_lo <= alpha_hi"; unit NONE;
        read "The honest error bar of alpha for independent values, choice of xmin included. Two layers whose intervals do not overlap differ.";
        source "Efron, Tibshirani 1993; Clauset, Shalizi, Newman 2009";
        option "`--bootstrap N`"; cost "N fits";
    }
    ["gof_p"] {
        formula "share of samples with D above the layer's"; range "0 to 1"; unit NONE;
        read "Below 0.1: not a power law. High with a short tail says only that nothing contradicts it.";
        source "Clauset, Shalizi, Newman 2009, SIAM Review 51, 661 (arXiv:0706.1062)";
        option "`--bootstrap N`"; cost "N fits, besides those of alpha_se";
    }
    ["power_law"] {
        formula ""; range "true, false"; unit NONE;
        read "The verdict of gof_p and best_fit in a word.";
        source "Clauset, Shalizi, Newman 2009, SIAM Review 51, 661 (arXiv:0706.1062)";
        option "`--bootstrap N`, `--compare`"; cost "that of the two";
    }
    ["alpha0", "alpha0_sd"] {
        formula ""; range "above 1; above 0"; unit NONE;
        read "What the fit gives for noise of the layer's shape: it depends on the shape, so a fixed bound such as 6 is not the same test for every layer.";
        source "Eigenscope";
        option "`--null-reference`"; cost "hundreds of spectra for each shape, once";
    }
    ["alpha_z"] {
        formula "(1 / (alpha0 - 1) - 1 / (alpha - 1)) / sd"; range "any real number"; unit NONE;
        read "Below -3: the tail is heavier than noise of that shape ever gives. Between -2 and 2: nothing that noise would not give.";
        source "Eigenscope";
        option "`--null-reference`"; cost "with alpha0";
    }
    "The Marchenko-Pastur law of the bulk":
    ["sigma_mp", "sigma_bulk"] {
        formula ""; range "0 to about 1"; unit NONE;
        read "1: the spectrum is that of a random matrix. Less: the rest of the norm is in spikes. Where the two columns differ much the bulk is no Marchenko-Pastur law.";
        source "Marchenko, Pastur 1967; Martin, Mahoney 2021 (arXiv:1810.01075); WeightWatcher 0.7";
        option "`--mp-fit`"; cost "a density and a one-dimensional search";
    }
    ["bulk_max", "bulk_min"] {
        formula "σ²(1 ± 1/√Q)²"; range "0 and above"; unit "that of λ";
        read "Eigenvalues between the two are what noise of the bulk's variance gives.";
        source "Marchenko, Pastur 1967; Martin, Mahoney 2021 (arXiv:1810.01075); WeightWatcher 0.7";
        option "`--mp-fit`"; cost "with sigma_mp";
    }
    ["num_spikes"] {
        formula ""; range "0 to num_evals"; unit NONE;
        read "Directions that stand out of the noise: what the layer has learned that is no bulk.";
        source "Marchenko, Pastur 1967; Martin, Mahoney 2021 (arXiv:1810.01075); WeightWatcher 0.7";
        option "`--mp-fit`"; cost "with sigma_mp";
    }
    ["tw_edge", "num_spikes_tw"] {
        formula "σ²(μ + s TW(q))"; range "above 0; 0 to num_evals"; unit "that of λ; none";
        read "Spikes from an edge of stated probability: noise exceeds it once in 10,000 layers by default.";
        source "Johnstone 2001, Annals of Statistics 29, 295; Ma 2012, Bernoulli 18, 322";
        option "`--mp-fit`, `--tw-quantile`"; cost "with sigma_mp";
    }
    ["mp_softrank"] {
        formula "bulk_max / λ_max"; range "above 0"; unit NONE;
        read "Near 1: all noise. Below 0.1: strong spikes or a heavy tail.";
        source "Martin, Mahoney 2021, JMLR 22, 165 (arXiv:1810.01075)";
        option "`--mp-fit`"; cost "with sigma_mp";
    }
    ["W_scale"] {
        formula "√(num_evals / Σλ)"; range "above 0"; unit "1 / that of the weights";
        read "Multiplies weights so that random ones have mean eigenvalue 1; only for comparing with the reference's plots.";
        source "WeightWatcher 0.7";
        option "`--mp-fit`"; cost "none";
    }
    "The same weights in random order":
    ["max_rand_eval", "max_rand_eval_sd"] {
        formula "max λ of shuffled weights"; range "0 and above"; unit "that of λ";
        read "Where the spectrum would end without correlations. Eigenvalues beyond it are learned.";
        source "WeightWatcher 0.7; Martin, Mahoney 2021";
        option "`--randomize`"; cost "a spectrum for each replica";
    }
    ["rand_distance", "rand_distance_sd"] {
        formula "√((KL(p|m) + KL(q|m)) / 2), m = (p + q) / 2"; range "0 to √ln 2 = 0.83"; unit NONE;
        read "0: shuffling changes nothing, the layer has no correlations. Compares sorted vectors of eigenvalues, not densities.";
        source "Lin 1991, IEEE Transactions on Information Theory 37, 145; WeightWatcher 0.7";
        option "`--randomize`"; cost "with max_rand_eval";
    }
    ["rand_wasserstein", "rand_wasserstein_sd"] {
        formula "∫|F - G| dλ / mean λ"; range "0 to 2"; unit NONE;
        read "The same question asked of the densities: how far eigenvalues moved, in units of their mean.";
        source "Vallender 1974, Theory of Probability and its Applications 18, 784";
        option "`--randomize`"; cost "with max_rand_eval";
    }
    ["ww_softrank", "ww_softrank_sd"] {
        formula "max_rand_eval / λ_max"; range "above 0"; unit NONE;
        read "Near 1: like noise. Near 0: strong correlations. Above 1 now and then for layers that are noise.";
        source "WeightWatcher 0.7";
        option "`--randomize`"; cost "with max_rand_eval";
    }
    ["ww_maxdist", "ww_maxdist_sd"] {
        formula "λ_max - max_rand_eval"; range "any real number"; unit "that of λ";
        read "The same as a difference.";
        source "WeightWatcher 0.7";
        option "`--randomize`"; cost "with max_rand_eval";
    }
    ["rand_replicas"] {
        formula ""; range "1 and above"; unit NONE;
        read "How many random orders the means are over.";
        source "Eigenscope";
        option "`--randomize`, `--replicas`"; cost "none";
    }
    ["rand_num_spikes", "rand_sigma_mp", "rand_mp_softrank", "rand_W_scale", "rand_bulk_max", "rand_bulk_min"] {
        formula "as the columns without rand_"; range "as there"; unit "as there";
        read "The Marchenko-Pastur columns of the shuffled weights: what remains a spike there is a trap, not a correlation.";
        source "WeightWatcher 0.7";
        option "`--randomize`"; cost "with max_rand_eval";
    }
    "Correlation traps":
    ["num_traps"] {
        formula "count of λ of shuffled weights above the Tracy-Widom edge"; range "0 and above"; unit NONE;
        read "Above 0: single weights are far too large, and they make eigenvalues that no correlation explains. Seen in over-fitted layers and after bad steps; `eigenscope sharpen` removes them.";
        source "Prakash, Martin 2025 (arXiv:2506.04434); Johnstone 2001";
        option "`--traps`, `--randomize`"; cost "a few percent of a spectrum with `--traps`";
    }
    ["trap_excess"] {
        formula "λ_trap / edge"; range "above 1"; unit NONE;
        read "How far beyond noise the largest trap is; 1.1 may be ignored, 2 may not.";
        source "Eigenscope";
        option "`--traps`"; cost "with num_traps";
    }
    ["trap_ipr"] {
        formula "Σ v⁴"; range "0 to 1"; unit NONE;
        read "Near 1: a single weight, row or column. Near 3 / N: no single place.";
        source "Plerou et al. 2002, Physical Review E 65, 066126";
        option "`--traps`"; cost "with num_traps";
    }
    ["trap_weights"] {
        formula "the largest w_ij u_i v_j / σ"; range "up to 8 places"; unit NONE;
        read "Which weights to look at.";
        source "Eigenscope";
        option "`--traps`"; cost "with num_traps";
    }
    "detX, gaps, eigenvectors":
    ["detX_num", "num_ERG_spikes"] {
        formula "least k with Σ ln e_i < 0 over the k largest e = λ / mean λ"; range "2 to num_evals"; unit NONE;
        read "How many of the largest eigenvalues conserve volume together: the size of the effective space in SETOL. `eigenscope smooth --method detX` keeps these.";
        source "Martin, Hinrichs 2025 (arXiv:2507.17912); WeightWatcher 0.7";
        option "`--detx`"; cost FREE;
    }
    ["detX_val", "detX_val_rescaled", "detX_val_unrescaled"] {
        formula "λ, or λ / mean λ, where the product ends"; range "0 and above"; unit "that of λ; none";
        read "Where the effective space begins, beside xmin.";
        source "Martin, Hinrichs 2025 (arXiv:2507.17912); WeightWatcher 0.7";
        option "`--detx`"; cost FREE;
    }
    ["ERG_gap"] {
        formula "detX_num - num_pl_spikes"; range "any whole number"; unit NONE;
        read "Near 0: the ideal of SETOL, alpha near 2. Far above 0: the power law starts too late.";
        source "Martin, Hinrichs 2025 (arXiv:2507.17912)";
        option "`--detx`"; cost FREE;
    }
    ["level_ratio"] {
        formula "mean of min(s, s') / max(s, s') over neighbouring gaps"; range "0 to 1"; unit NONE;
        read "0.53: eigenvalues repel each other as in a full random matrix. 0.39: independent, as in a block-diagonal or sparse one.";
        source "Oganesyan, Huse 2007, Physical Review B 75, 155111; Atas et al. 2013, Physical Review Letters 110, 084101";
        option "`--deltas`"; cost FREE;
    }
    ["bulk_mean_vec_entropy", "bulk_var_vec_entropy"] {
        formula "-Σ p ln p over a histogram of 100 bins"; range "0 to ln 100 = 4.6"; unit NONE;
        read "Eigenvectors of eigenvalues below xmin: high where components are spread over many sizes, low where few carry the vector.";
        source "WeightWatcher 0.7";
        option "`--vectors`"; cost "eigenvectors: about four more spectra";
    }
    ["bulk_mean_loc_ratio", "bulk_var_loc_ratio"] {
        formula "‖v‖₁ / ‖v‖_∞"; range "1 to M"; unit NONE;
        read "Eigenvectors of eigenvalues below xmin: 1 for a single component, M for equal ones. Small in the tail: localised, fragile directions.";
        source "WeightWatcher 0.7";
        option "`--vectors`"; cost "with vec_entropy";
    }
    ["bulk_mean_part_ratio", "bulk_var_part_ratio"] {
        formula "‖v‖₂ / ‖v‖₄"; range "1 to M^(1/4)"; unit NONE;
        read "Eigenvectors of eigenvalues below xmin: as the localisation ratio, less moved by one outlier.";
        source "WeightWatcher 0.7";
        option "`--vectors`"; cost "with vec_entropy";
    }
    ["bulk_mean_ipr"] {
        formula "Σ v⁴"; range "1 / M to 1"; unit NONE;
        read "Eigenvectors of eigenvalues below xmin: 3 / M for random vectors, 1 for a single component.";
        source "Plerou et al. 2002, Physical Review E 65, 066126";
        option "`--vectors`"; cost "with vec_entropy";
    }
    ["tail_mean_vec_entropy", "tail_var_vec_entropy"] {
        formula "-Σ p ln p over a histogram of 100 bins"; range "0 to ln 100 = 4.6"; unit NONE;
        read "Eigenvectors of eigenvalues at or above xmin: high where components are spread over many sizes, low where few carry the vector.";
        source "WeightWatcher 0.7";
        option "`--vectors`"; cost "eigenvectors: about four more spectra";
    }
    ["tail_mean_loc_ratio", "tail_var_loc_ratio"] {
        formula "‖v‖₁ / ‖v‖_∞"; range "1 to M"; unit NONE;
        read "Eigenvectors of eigenvalues at or above xmin: 1 for a single component, M for equal ones. Small in the tail: localised, fragile directions.";
        source "WeightWatcher 0.7";
        option "`--vectors`"; cost "with vec_entropy";
    }
    ["tail_mean_part_ratio", "tail_var_part_ratio"] {
        formula "‖v‖₂ / ‖v‖₄"; range "1 to M^(1/4)"; unit NONE;
        read "Eigenvectors of eigenvalues at or above xmin: as the localisation ratio, less moved by one outlier.";
        source "WeightWatcher 0.7";
        option "`--vectors`"; cost "with vec_entropy";
    }
    ["tail_mean_ipr"] {
        formula "Σ v⁴"; range "1 / M to 1"; unit NONE;
        read "Eigenvectors of eigenvalues at or above xmin: 3 / M for random vectors, 1 for a single component.";
        source "Plerou et al. 2002, Physical Review E 65, 066126";
        option "`--vectors`"; cost "with vec_entropy";
    }
    "Older versions":
    ["lognorm", "spectralnorm"] {
        formula "lognorm = log10 √Σλ; spectralnorm = λ_max"; range "real; >= 0"; unit "log10 of that of the weights; λ";
        read "Norms as the first versions had them, for tables made with them. `norm` is not squared there either.";
        source "WeightWatcher 0.1.2";
        option "--conventions weightwatcher-0.1.2"; cost FREE;
    }
    ["softrank", "softranklog", "softranklogratio"] {
        formula "√Σλ / λ_max; its log10; log10 √Σλ / log10 λ_max"; range "> 0; real; real"; unit "of the inverse of the weights; none; none";
        read "Forerunners of the stable rank, which unlike them does not depend on the scale of the weights.";
        source "WeightWatcher 0.1.2";
        option "--conventions weightwatcher-0.1.2"; cost FREE;
    }
    ["lambda_min"] {
        formula ""; range ">= 0"; unit "λ";
        read "The lower end of what is fitted.";
        source "WeightWatcher 0.1.2";
        option "--conventions weightwatcher-0.1.2"; cost FREE;
    }
    "How the numbers were made":
    ["estimate", "estimate_error"] {
        formula ""; range "words; at least 0"; unit NONE;
        read "A row with an estimate has no columns that would need all eigenvalues. The largest eigenvalues (top) give the same alpha as all where its tail lies within them; windows make layers of different shapes comparable, and their alpha is another than the whole layer's; a density has the Hill exponent of the upper half. The error of windows is that of a sample of parts, and of two or three windows says little; with a scanned xmin and no power law it is no more than an order of magnitude. That of a density is rather too large, and falls with more steps.";
        source "top: Saad 2011; unchanged: Mirsky 1960; windows: Hu et al. 2025 (arXiv:2506.06280); density: Ubaru, Chen, Saad 2017, Chen, Trogdon, Ubaru 2021 (arXiv:2105.06595)";
        option "`--top K`, `--windows SIDE`, `--density STEPS`; a monitor's unchanged_below"; cost "top: about 16 K N M operations; windows: 7/3 N M SIDE; density: 32 N M STEPS";
    }
    ["estimator"] {
        formula ""; range "words"; unit NONE;
        read "Alphas of different estimators are not quite comparable.";
        source "Eigenscope";
        option ALWAYS; cost FREE;
    }
    ["method", "precision"] {
        formula ""; range "gram, svd; f64, f32"; unit NONE;
        read "Which arithmetic found the eigenvalues.";
        source "Eigenscope";
        option ALWAYS; cost FREE;
    }
    ["fft_size"] {
        formula ""; range ">= 1"; unit "elements of the image's side";
        read "A larger image has more frequencies: the spectrum converges to that of the operator on an endless image.";
        source "Sedghi, Gupta, Long 2019, ICLR (arXiv:1805.10408)";
        option "--conv2d-fft, --fft-size"; cost "a spectrum for each half of the image's frequencies";
    }
    ["conv_mode", "scale"] {
        formula ""; range "words; 0.5 or 1 (weightwatcher-0.7.7: rf / 2 too; glorot_fix: (N + M) rf / 2)"; unit NONE;
        read "λ of the report is scale times the squared singular value of the weights. Compare norms of equal scale only.";
        source "Eigenscope; the scale after WeightWatcher 0.7";
        option ALWAYS; cost FREE;
    }
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::analysis::COLUMNS;

    #[test]
    fn every_column_has_one_guide_and_every_guide_a_column() {
        let named: Vec<&str> =
            CHAPTERS.iter().flat_map(|c| c.guides).flat_map(|g| g.columns).copied().collect();
        let unique: HashSet<&str> = named.iter().copied().collect();
        assert_eq!(unique.len(), named.len(), "a column is explained twice");
        let columns: HashSet<&str> = COLUMNS.iter().map(|c| c.name).collect();
        assert_eq!(columns.difference(&unique).collect::<Vec<_>>(), Vec::<&&str>::new(), "not explained");
        assert_eq!(unique.difference(&columns).collect::<Vec<_>>(), Vec::<&&str>::new(), "no such column");
    }

    #[test]
    fn nothing_but_the_formula_is_left_out_and_what_always_comes_is_not_requested() {
        for guide in CHAPTERS.iter().flat_map(|c| c.guides) {
            let parts = [guide.range, guide.unit, guide.reading, guide.source, guide.option, guide.cost];
            assert!(parts.iter().all(|p| !p.is_empty() && !p.contains('\n')), "{:?}", guide.columns);
            for name in guide.columns {
                let requested = COLUMNS.iter().any(|c| c.name == *name && c.requested);
                assert_eq!(
                    requested,
                    !guide.option.starts_with("always") && !OPTIONAL.contains(name),
                    "{name}"
                );
            }
        }
    }

    /// Brought by an option, but listed whether or not it is given.
    const OPTIONAL: [&str; 3] = ["slice_id", "num_fingers", "raw_alpha"];
}
