//! What may be deleted: the annotation `altinn.app/retention` says what becomes of the data.

use api::annotations::{CONFIRM_DESTROY, RETENTION};
use jiff::{ToSpan, civil::Date};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    Code, Problem, day,
    quote::{quote, triggers_tool},
};

/// The longest time that a server is kept before it is destroyed, in days: ten years.
pub(crate) const MOST_DAYS: u16 = 3650;
/// How far ahead the last day of a confirmation may lie: one that is forgotten must not wait for years.
const CONFIRMED_AHEAD: i32 = 7;

/// Whether data may be destroyed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Destroy {
    /// With a confirmation.
    #[default]
    Allow,
    /// Not at all.
    Deny,
}

/// What becomes of the data.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retention {
    /// The server is kept, without an end date.
    Retain,
    /// The server is kept so many days, and then destroyed.
    Days(u16),
    /// The server is destroyed after a short delay, the chart's `controller.destroyDelay`. Until then it is kept, and applying
    /// the manifest brings it back.
    Destroy,
}

impl Retention {
    /// The annotation's value, to the letter: `Retain`, `14d`, `Destroy`. `None` for any other, in whatever case.
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "Retain" => Some(Self::Retain),
            "Destroy" => Some(Self::Destroy),
            _ => {
                let digits = value.strip_suffix('d')?;
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
                let days = digits.parse().ok().filter(|days| plain && *days <= MOST_DAYS)?;
                Some(Self::Days(days))
            }
        }
    }

    /// How much is lost and how soon: the greater, the worse.
    fn loss(self) -> u16 {
        match self {
            Self::Retain => 0,
            Self::Days(days) => u16::MAX - 1 - days,
            Self::Destroy => u16::MAX,
        }
    }
}

/// What a profile says of deleting.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RetentionRules {
    /// What a delete without the annotation means; `None` refuses it.
    pub when_missing: Option<Retention>,
    pub destroy: Destroy,
    /// The fewest days that `<n>d` may say.
    pub minimum_days: u16,
}

/// A `Database` that is to be deleted.
#[derive(Clone, Copy, Debug)]
pub struct Deletion<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    /// The annotation `altinn.app/retention`.
    pub retention: Option<&'a str>,
    /// The annotation `altinn.app/confirm-destroy`.
    pub confirmation: Option<&'a str>,
    /// The current day in UTC.
    pub today: Date,
}

/// Whether it may be deleted, and what then becomes of its data; else everything that stands in the way.
///
/// `rules` are the profile's; `None` when no profile or no policy is at hand, which lets nothing pass but `Retain`.
pub fn judge(deletion: &Deletion<'_>, rules: Option<&RetentionRules>) -> Result<Retention, Vec<Problem>> {
    let field = annotation(RETENTION);
    let Some(value) = deletion.retention else {
        return rules.and_then(|rules| rules.when_missing).ok_or_else(|| {
            let text = "is missing, so nothing says what becomes of the data. It takes two steps (in Git, two \
                        commits): set it to \"Retain\", which keeps the server and its data; when that is applied, \
                        delete";
            vec![Problem::new(Code::RetentionMissing, &field, text)]
        });
    };
    let Some(retention) = Retention::parse(value) else {
        let text = format!(
            "{} is not a value that is known; write \"Retain\", which keeps the server and its data, let that be \
             applied, and then delete",
            quote(value)
        );
        return Err(vec![Problem::new(Code::RetentionUnknown, &field, &text)]);
    };
    let counts = match retention {
        Retention::Retain => Ok(()),
        Retention::Days(days) => long_enough(days, rules),
        Retention::Destroy => destroy_allowed(rules).and_then(|()| confirmed(deletion)),
    };
    counts.map(|()| retention).map_err(|problem| vec![problem])
}

fn long_enough(days: u16, rules: Option<&RetentionRules>) -> Result<(), Problem> {
    let minimum = rules.map(|rules| rules.minimum_days);
    if minimum.is_some_and(|minimum| days >= minimum) {
        return Ok(());
    }
    let text = match minimum {
        Some(minimum) => format!(
            "\"{days}d\" is shorter than the {minimum} days that data are kept here; write \"{minimum}d\" or \"Retain\""
        ),
        None => format!(
            "\"{days}d\" needs a policy that says how long data are kept, and there is none; write \"Retain\""
        ),
    };
    Err(Problem::new(Code::RetentionTooShort, &annotation(RETENTION), &text))
}

fn destroy_allowed(rules: Option<&RetentionRules>) -> Result<(), Problem> {
    let why = match rules.map(|rules| rules.destroy) {
        Some(Destroy::Allow) => return Ok(()),
        Some(Destroy::Deny) => "is not allowed here",
        None => "needs a policy that allows it, and there is none",
    };
    let text = format!("\"Destroy\" {why}; write \"Retain\", which keeps the server and its data");
    Err(Problem::new(Code::DestroyForbidden, &annotation(RETENTION), &text))
}

/// The confirmation names this database, so that a copied manifest confirms nothing, and ends soon, so that a
/// forgotten one doesn't either.
fn confirmed(deletion: &Deletion<'_>) -> Result<(), Problem> {
    let Deletion { namespace, name, today, .. } = *deletion;
    let field = annotation(CONFIRM_DESTROY);
    let last = today.saturating_add(CONFIRMED_AHEAD.days());
    let own = format!("{namespace}/{name}");
    // A namespace may well be called `immutable-infra`, and the message must not.
    let own_shown = if triggers_tool(&own) { "<namespace>/<name>" } else { &own };
    let write = format!("write \"{own_shown}@{last}\", or a day before");
    let fail = |code, text: String| Err(Problem::new(code, &field, &format!("{text}; {write}")));
    let Some(value) = deletion.confirmation else {
        let text = "is missing, and \"Destroy\" ends the server with all its data and backups".to_owned();
        return fail(Code::DestroyUnconfirmed, text);
    };
    let parsed = value.split_once('@').and_then(|(whose, day)| Some((whose, day::parse(day)?)));
    let Some((whose, day)) = parsed else {
        let text = format!("{} is not of the form <namespace>/<name>@<day>", quote(value));
        return fail(Code::DestroyUnconfirmed, text);
    };
    if whose != own {
        let text = format!("{} confirms another database than {own_shown}", quote(value));
        return fail(Code::DestroyUnconfirmed, text);
    }
    if day < today {
        return fail(
            Code::ConfirmationExpired,
            format!("{} has expired: today is {today} in UTC", quote(value)),
        );
    }
    if day > last {
        let text = format!("{} lies more than {CONFIRMED_AHEAD} days ahead", quote(value));
        return fail(Code::ConfirmationExpired, text);
    }
    Ok(())
}

/// The annotations of an object that is being deleted. What was decided can be made safer, never worse.
pub fn judge_change(
    (old, old_confirmation): (Option<&str>, Option<&str>),
    (new, new_confirmation): (Option<&str>, Option<&str>),
) -> Result<(), Problem> {
    if new != old {
        let field = annotation(RETENTION);
        // What isn't known, or isn't there, keeps the data.
        let parse = |value: Option<&str>| value.and_then(Retention::parse);
        if let (Some(value), None) = (new, parse(new)) {
            let text = format!("{} is not a value that is known; write \"Retain\"", quote(value));
            return Err(Problem::new(Code::RetentionUnknown, &field, &text));
        }
        let loss = |value| parse(value).map_or(0, Retention::loss);
        if loss(new) > loss(old) {
            let text = format!(
                "can't go to {} any more: this Database is being deleted, and what becomes of its data can only be made \
                 safer; leave it {}",
                quote(new.unwrap_or_default()),
                old.map_or_else(|| "out".to_owned(), |old| format!("as {}", quote(old)))
            );
            return Err(Problem::new(Code::RetentionWidened, &field, &text));
        }
    }
    if new_confirmation != old_confirmation && new_confirmation.is_some() {
        let text =
            "can't be given any more: this Database is being deleted; leave it as it was, or take it out";
        return Err(Problem::new(Code::RetentionWidened, &annotation(CONFIRM_DESTROY), text));
    }
    Ok(())
}

fn annotation(key: &str) -> String {
    format!("metadata.annotations[{key}]")
}

#[cfg(test)]
mod tests;
