//! The range of API versions a policy accepts.

use crate::docker::ApiVersion;

/// `">=1.41, <=1.51"`: which API versions a policy accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiRange {
    lowest: ApiVersion,
    highest: Option<ApiVersion>,
}

impl Default for ApiRange {
    fn default() -> Self {
        Self {
            lowest: ApiVersion::OLDEST,
            highest: None,
        }
    }
}

/// How a call's version relates to the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Inside.
    Inside,
    /// Outside.
    Outside,
    /// The call names no version and the engine's own one is not known yet.
    Unknown,
}

impl ApiRange {
    /// Reads comma-separated bounds: `>=1.41`, `<=1.51`, `>`, `<`, `=`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut range = Self::default();
        for part in text.split(',').map(str::trim) {
            let split = part.find(|c: char| c.is_ascii_digit());
            let (operator, version) = part
                .split_at_checked(split.unwrap_or(0))
                .unwrap_or(("", ""));
            let Some(version) = ApiVersion::parse(version) else {
                return Err(format!("`{part}` is not a bound such as `>=1.41`"));
            };
            range.narrow(operator.trim(), version, part)?;
        }
        let empty = range.highest.is_some_and(|highest| highest < range.lowest);
        if empty {
            return Err(format!(
                "no version is in this range; the oldest is {}",
                ApiVersion::OLDEST
            ));
        }
        Ok(range)
    }

    fn narrow(&mut self, operator: &str, version: ApiVersion, part: &str) -> Result<(), String> {
        let below = ApiVersion::new(version.major, version.minor.saturating_sub(1));
        let above = ApiVersion::new(version.major, version.minor.saturating_add(1));
        let (low, high) = match operator {
            ">=" => (Some(version), None),
            ">" => (Some(above), None),
            "<=" => (None, Some(version)),
            "<" if version.minor > 0 => (None, Some(below)),
            "=" | "==" => (Some(version), Some(version)),
            _ => return Err(format!("`{part}` is not a bound such as `>=1.41`")),
        };
        self.lowest = self.lowest.max(low.unwrap_or(self.lowest));
        self.highest = match (self.highest, high) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Ok(())
    }

    /// Whether a call belongs into the range. A call without a prefix counts as the engine's own
    /// version; every engine we speak to serves the oldest one, so a range without real bounds
    /// needs to know nothing.
    pub(super) fn fit(&self, written: Option<ApiVersion>, engine: Option<ApiVersion>) -> Fit {
        match written.or(engine) {
            Some(version) if self.holds(version) => Fit::Inside,
            Some(_) => Fit::Outside,
            None if *self == Self::default() => Fit::Inside,
            None => Fit::Unknown,
        }
    }

    /// A version inside of the range: the newest we know, if it lies in there.
    pub(super) fn presumed(&self) -> ApiVersion {
        let newest = ApiVersion::NEWEST.max(self.lowest);
        self.highest.map_or(newest, |highest| newest.min(highest))
    }

    /// Whether every version of the range is older than `version`.
    pub(super) fn ends_before(&self, version: ApiVersion) -> bool {
        self.highest.is_some_and(|highest| highest < version)
    }

    fn holds(&self, version: ApiVersion) -> bool {
        self.lowest <= version && self.highest.is_none_or(|highest| version <= highest)
    }
}

impl std::fmt::Display for ApiRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.highest {
            Some(highest) => write!(f, ">={}, <={highest}", self.lowest),
            None => write!(f, ">={}", self.lowest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(minor: u16) -> ApiVersion {
        ApiVersion::new(1, minor)
    }

    #[test]
    fn bounds_are_read_and_shown() {
        for (text, shown) in [
            (">=1.41, <=1.51", ">=1.41, <=1.51"),
            (">1.40,<1.52", ">=1.41, <=1.51"),
            ("=1.45", ">=1.45, <=1.45"),
            (">= 1.30", ">=1.30"),
            ("<=1.44", ">=1.24, <=1.44"),
            (">=1.10", ">=1.24"),
        ] {
            assert_eq!(ApiRange::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "",
            "1.41",
            ">=",
            "~1.41",
            ">=1.41 <=1.51",
            ">=1.51, <=1.41",
            "<=1.20",
            ">=x",
        ] {
            assert!(ApiRange::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_call_without_prefix_counts_as_the_engine() {
        let range = ApiRange::parse(">=1.41, <=1.51").unwrap();
        for (written, engine, expected) in [
            (Some(v(41)), None, Fit::Inside),
            (Some(v(51)), Some(v(60)), Fit::Inside),
            (Some(v(52)), Some(v(45)), Fit::Outside),
            (Some(v(40)), None, Fit::Outside),
            (None, Some(v(45)), Fit::Inside),
            (None, Some(v(52)), Fit::Outside),
            (None, None, Fit::Unknown),
        ] {
            assert_eq!(
                range.fit(written, engine),
                expected,
                "{written:?} {engine:?}"
            );
        }
        assert_eq!(ApiRange::default().fit(None, None), Fit::Inside);
        assert_eq!(
            ApiRange::parse("<=1.51").unwrap().fit(None, None),
            Fit::Unknown
        );
        assert_eq!(
            ApiRange::parse(">=1.30").unwrap().fit(None, None),
            Fit::Unknown
        );
    }
}
