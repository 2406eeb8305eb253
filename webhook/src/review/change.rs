//! What a request does to the spec of a `Database`, also to one that can't be read.

use api::DatabaseSpec;
use kube::core::admission::Operation;
use policy::{Code, Denial, Policy, Problem, Recorded, Verdict, defaults};
use serde_json::value::RawValue;

use super::{
    basis::{Basis, denial, profile, refusal},
    sent::Sent,
    spec::{Lost, Read},
    status,
};

/// What a request does to the spec.
#[derive(Debug)]
pub(super) struct Change {
    /// `None` when there is no new one, as in a DELETE, and when one that can't be read stays as it is.
    pub(super) specs: Option<Specs>,
    pub(super) recorded: Option<Recorded>,
    /// The database whose data it has brought back.
    pub(super) recovered_from: Option<String>,
}

#[derive(Debug)]
pub(super) struct Specs {
    pub(super) new: DatabaseSpec,
    /// `None` on creation.
    pub(super) old: Option<DatabaseSpec>,
    /// What can't be read of the old one.
    lost: Vec<Lost>,
    mistakes: Mistakes,
    /// Whether the new one stands in the object at all.
    pub(super) is_written: bool,
}

/// What can't be read of a new spec.
#[derive(Debug, Default)]
struct Mistakes {
    lost: Vec<Lost>,
    /// Fields that nobody knows.
    unknown: Vec<Problem>,
}

impl Mistakes {
    fn is_empty(&self) -> bool {
        self.lost.is_empty() && self.unknown.is_empty()
    }

    /// These, and what else is wrong, as far as that is known.
    fn and(&self, others: Vec<Problem>) -> Vec<Problem> {
        let is_told = |problem: &Problem| {
            let field = problem.field.strip_prefix("spec.");
            field.is_none_or(|field| !self.lost.iter().any(|lost| lost.hides(field)))
        };
        let lost = self.lost.iter().map(|lost| lost.problem.clone());
        lost.chain(self.unknown.iter().cloned()).chain(others.into_iter().filter(is_told)).collect()
    }
}

impl Change {
    /// A stored spec that can't be read, as after a change of the CRD, can be repaired, and what is stored beside it
    /// changed. A new one that can't be read is never stored.
    pub(super) fn read(sent: &Sent<'_>) -> Self {
        let recorded = status::recorded(sent.old_status);
        let is_written = sent.new_spec.is_some();
        let specs = match sent.request.operation {
            Operation::Create => {
                let Read { spec, lost, unknown } = Read::of(sent.new_spec);
                let mistakes = Mistakes { lost, unknown };
                Some(Specs { new: spec, old: None, lost: Vec::new(), mistakes, is_written })
            }
            Operation::Update => {
                let (new, old) = (Read::of(sent.new_spec), Read::of(sent.old_spec));
                // The API server writes both in the same way.
                let is_same = sent.new_spec.map(RawValue::get) == sent.old_spec.map(RawValue::get);
                if is_same && !new.lost.is_empty() {
                    None
                } else {
                    let is_new = |problem: &Problem| !old.unknown.contains(problem);
                    let unknown = new.unknown.into_iter().filter(is_new).collect();
                    let mistakes = Mistakes { lost: new.lost, unknown };
                    let (new, lost) = (new.spec, old.lost);
                    Some(Specs { new, old: Some(old.spec), lost, mistakes, is_written })
                }
            }
            // Annotations alone decide it, and nobody asks what it was.
            _ => None,
        };
        Self { specs, recorded, recovered_from: status::recovered_from(sent.old_status) }
    }
}

impl Specs {
    /// To the letter, and both can be read.
    pub(super) fn are_the_same(&self) -> bool {
        self.can_be_read() && self.lost.is_empty() && self.old.as_ref() == Some(&self.new)
    }

    /// `kubectl replace` leaves out what a default filled in, and no default is filled in while an object is deleted.
    pub(super) fn are_alike(&self) -> bool {
        let stays = |old: &DatabaseSpec| defaults::with_stored(&self.new, old) == *old;
        self.can_be_read() && self.lost.is_empty() && self.old.as_ref().is_some_and(stays)
    }

    /// Nothing is wrong with the form of the new one.
    pub(super) fn can_be_read(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// Judges a change. What can't be read of the new spec is refused, beside all else that is wrong with it.
    pub(super) fn judge(
        &self,
        request: &policy::Request<'_>,
        recorded: Option<&Recorded>,
        basis: &Basis<'_>,
    ) -> Result<Verdict, Denial> {
        let judged = self.judge_readable(request, recorded, basis);
        if self.can_be_read() {
            return judged;
        }
        let denied = match judged {
            Ok(verdict) => verdict.denial,
            Err(denial) => Some(denial),
        };
        let others = denied.unwrap_or_else(|| refusal(Vec::new(), profile(basis, request.namespace), basis));
        Err(Denial { problems: self.mistakes.and(others.problems), ..others })
    }

    /// What can't be read of the stored spec counts as changed, whatever it is now.
    fn judge_readable(
        &self,
        request: &policy::Request<'_>,
        recorded: Option<&Recorded>,
        basis: &Basis<'_>,
    ) -> Result<Verdict, Denial> {
        let policy = basis.state.require(basis.policy_name)?;
        if let Some(field) = self.unknown(recorded) {
            let field = format!("spec.{field}");
            let text = format!(
                "{field} can't be read as it is stored, and the status doesn't record it, so it isn't known whether this \
                 change is safe; set altinn.app/retention to \"Retain\", delete the Database and apply the manifest \
                 again, which finds the same server and its data"
            );
            return Err(denial(basis, Problem { code: Code::Unreadable, field, text }));
        }
        let mut verdict = policy.judge(request, recorded);
        if !self.lost.is_empty() {
            self.judge_lost(policy, request, recorded, &mut verdict);
        }
        Ok(verdict)
    }

    /// A field whose old value nobody knows, although there is a server and not every change of it is safe.
    fn unknown(&self, recorded: Option<&Recorded>) -> Option<&'static str> {
        recorded?.unknown(|field| self.lost.iter().any(|lost| lost.covers(field)))
    }

    /// Adds what would be wrong, in a new database, with the fields that are lost: one of them may have been changed to what
    /// it is when it is left out.
    fn judge_lost(
        &self,
        policy: &Policy,
        request: &policy::Request<'_>,
        recorded: Option<&Recorded>,
        verdict: &mut Verdict,
    ) {
        let as_new = policy.judge(&policy::Request { old: None, databases: None, ..*request }, recorded);
        let is_lost = |problem: &Problem| {
            let Some(field) = problem.field.strip_prefix("spec.") else { return false };
            let field = field.split_once('[').map_or(field, |(list, _)| list);
            self.lost.iter().any(|lost| lost.covers(field))
        };
        let add = |to: &mut Vec<Problem>, from: Vec<Problem>| {
            let more: Vec<_> =
                from.into_iter().filter(|problem| is_lost(problem) && !to.contains(problem)).collect();
            to.extend(more);
        };
        add(&mut verdict.warned, as_new.warned);
        add(&mut verdict.audited, as_new.audited);
        if let Some(mut denial) = as_new.denial {
            let mut problems = verdict.denial.take().map(|denial| denial.problems).unwrap_or_default();
            add(&mut problems, std::mem::take(&mut denial.problems));
            verdict.denial = (!problems.is_empty()).then_some(Denial { problems, ..denial });
        }
    }
}
