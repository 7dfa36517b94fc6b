"""Every public name, in the order of the reference: its pages are made from this table."""

# By module and by heading. A name that two modules offer has its page at the first.
NAMES: dict[str, dict[str, list[str]]] = {
    "stf2m_sk": {
        "Classifiers": ["STF2MClassifier", "PersonalisedClassifier", "PooledClassifier"],
        "Clips": ["Views", "ViewSchema", "check_clips"],
        "Files": ["load", "ModelFileError", "CheckpointError"],
    },
    "stf2m_sk.datasets": {
        "Data to begin with": ["load_stress", "make_emotion_views", "load_npz"],
    },
    "stf2m_sk.views": {
        "Clips of several modalities": ["Views", "ViewSchema", "Modality", "as_views"],
    },
    "stf2m_sk.preprocessing": {
        "Steps of a Pipeline": ["ViewScaler", "ViewSelector", "ViewResampler"],
    },
    "stf2m_sk.recordings": {
        "Recordings": ["Recording", "Signal", "RecordingError", "RecordingWarning"],
        "Readers": [
            "read_csv",
            "read_e4",
            "read_edf",
            "read_wfdb",
            "read_xdf",
            "read_wav",
            "read_video",
            "read_subtitles",
            "read_annotations",
            "from_dataframe",
            "from_mne",
        ],
        "Features of voice, face and text": [
            "extract",
            "log_mel",
            "prosody",
            "voice",
            "face",
            "motion",
            "video",
            "words",
        ],
        "From recordings to clips": ["cut", "quadrant"],
        "Predictions over time": [
            "predict_timeline",
            "Timeline",
            "StreamPredictor",
            "StreamResult",
        ],
    },
    "stf2m_sk.inspection": {
        "What speaks for an emotion": [
            "explain",
            "Explanation",
            "explain_timeline",
            "TimelineExplanation",
            "occlude_networks",
        ],
        "Rules in words": ["rule_table", "short_rules", "ShortRules"],
        "Doubt": [
            "PredictionSets",
            "CoverageError",
            "unlikeness",
            "UnlikeClipsWarning",
            "blend",
        ],
        "Figures": [
            "ExplanationDisplay",
            "ModalityDisplay",
            "RuleDisplay",
            "TimelineDisplay",
            "ShotsDisplay",
            "EmbeddingDisplay",
            "ConfusionDisplay",
            "TrainingDisplay",
        ],
    },
    "stf2m_sk.model_selection": {
        "Scores on new people": [
            "FewShotProtocol",
            "few_shot_score",
            "compare_few_shot",
            "FewShotResult",
            "make_few_shot_scorer",
        ],
        "Splits": ["EpisodeSplit", "Episode", "NovelClassSplit"],
        "Controls": [
            "MajorityControl",
            "NearestInTimeControl",
            "StimulusPriorControl",
            "PopulationOnly",
            "ShuffledLabels",
        ],
        "Leaks": ["leakage_report", "LeakageReport", "Leak"],
    },
    "stf2m_sk.metrics": {
        "Of probabilities": ["METRICS", "LOWER_IS_BETTER", "expected_calibration_error"],
        "Of soft labels": ["soft_label_agreement", "soft_label_cross_entropy"],
    },
    "stf2m_sk.pipelines": {
        "A Pipeline for a person": ["adapt_pipeline", "partial_fit_pipeline"],
    },
    "stf2m_sk.encoding": {
        "The classifier's features": ["SpatioTemporalEncoder"],
    },
    "stf2m_sk.fuzzy": {
        "Transformers": ["FuzzyPatternTransformer", "FuzzyRuleTransformer"],
        "Where rules lie": ["place_patterns", "place_rules", "RulePlacement"],
        "What rules say": ["describe_patterns", "Pattern", "firing_strengths", "log_firing"],
    },
    "stf2m_sk.compliance": {
        "scikit-learn's checks": ["check_all", "Compliance", "ESTIMATORS"],
    },
}

# Modules of which `stf2m_sk` offers what is public, or that only the package itself uses.
INTERNAL = {
    "stf2m_sk.card",
    "stf2m_sk.checking",
    "stf2m_sk.classifier",
    "stf2m_sk.cli",
    "stf2m_sk.demo",
    "stf2m_sk.doubt",
    "stf2m_sk.embedded",
    "stf2m_sk.fine_tuning",
    "stf2m_sk.fitted",
    "stf2m_sk.loading",
    "stf2m_sk.model_file",
    "stf2m_sk.nn",
    "stf2m_sk.persistence",
    "stf2m_sk.person",
    "stf2m_sk.personalised",
    "stf2m_sk.pooled",
    "stf2m_sk.priors",
    "stf2m_sk.provenance",
    "stf2m_sk.training",
}


def pages() -> dict[str, str]:
    """Return the full name of each page's object, by every full name under which it is public."""
    first: dict[str, str] = {}
    found = {}
    for module, groups in NAMES.items():
        for name in (name for names in groups.values() for name in names):
            found[f"{module}.{name}"] = first.setdefault(name, f"{module}.{name}")
    return found
