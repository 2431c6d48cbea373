//! Names of what an update makes again and again, its runs and its experiments. No name is given twice while the update is
//! under way: whoever still sees a former object of the name would take its result for that of the new one.

/// How the names of one kind are made: the first is the base, each later one the base, a mark and a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The first name.
    base: String,
    /// What stands between base and number.
    mark: char,
}

impl Names {
    /// Names that begin with `base`, numbered after `mark`.
    pub fn new(base: String, mark: char) -> Self {
        Self { base, mark }
    }

    /// The next name: numbers count on from the highest that is taken.
    pub fn next<'a>(&self, taken: impl Iterator<Item = &'a str>) -> String {
        match self.last(taken) {
            None => self.base.clone(),
            Some(number) => format!("{}{}{}", self.base, self.mark, number.saturating_add(1)),
        }
    }

    /// Whether `name` is the one that the next name counts on from.
    pub fn is_last<'a>(&self, name: &str, taken: impl Iterator<Item = &'a str>) -> bool {
        let number = self.number(name);
        number.is_some() && number == self.last(taken)
    }

    fn last<'a>(&self, taken: impl Iterator<Item = &'a str>) -> Option<u64> {
        taken.filter_map(|name| self.number(name)).max()
    }

    /// The number of a name, 0 for the base; `None` for names of another kind.
    fn number(&self, name: &str) -> Option<u64> {
        let rest = name.strip_prefix(&self.base)?;
        match rest.strip_prefix(self.mark) {
            Some(digits) => digits.parse().ok(),
            None => rest.is_empty().then_some(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn numbers_count_on_from_the_highest() {
        let names = Names::new("svc-v2-2-1".to_owned(), '.');
        let next = |taken: &[&str]| names.next(taken.iter().copied());
        assert_eq!(next(&[]), "svc-v2-2-1");
        assert_eq!(next(&["svc-v2-2-11", "svc-v2-2", "svc-v2-2-1-1", "svc-v2-2-1.pre", "svc-v2-2-1."]), "svc-v2-2-1");
        assert_eq!(next(&["svc-v2-2-1"]), "svc-v2-2-1.1");
        assert_eq!(next(&["svc-v2-2-1.7"]), "svc-v2-2-1.8", "the first is gone, and its name with it");
        assert_eq!(next(&["svc-v2-2-1.9", "svc-v2-2-1.10", "svc-v2-2-1"]), "svc-v2-2-1.11");
    }

    #[test]
    fn the_last_is_the_one_of_the_highest_number() {
        let names = Names::new("svc-v2-2".to_owned(), '-');
        let taken = ["svc-v2-2", "svc-v2-2-1", "other"];
        let last = |name| names.is_last(name, taken.into_iter());
        assert_eq!((last("svc-v2-2"), last("svc-v2-2-1"), last("other")), (false, true, false));
    }
}
