//! Latency budgets: stages, histograms and the report
