//! What can happen, and how often it does.

use proptest::{prelude::*, sample::select};

/// What happens next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// A pass over a `Database`, with caches of now or of before; it may crash after so many writes.
    Reconcile {
        fresh: bool,
        crash: Option<usize>,
    },
    /// The same, over a record.
    ReconcileRecord {
        fresh: bool,
        crash: Option<usize>,
    },
    Sweep {
        crash: Option<usize>,
    },
    /// For so many rounds everything goes as it should, with caches of now, or of the begin of a round.
    Work {
        rounds: usize,
        fresh: bool,
    },
    /// Everything goes as it should until nothing is left to be done.
    Rest,
    /// Azure Service Operator attends to everything once, or to one kind.
    Attend {
        all: bool,
        which: usize,
    },
    CollectGarbage,
    TimePasses {
        minutes: i64,
    },
    Restart,
    /// The controller's clock goes wrong by so much, or is right again.
    Skew {
        hours: i64,
    },
    Apply,
    /// Another size is asked for.
    Resize,
    /// A delete, with this said on the data.
    Delete {
        word: Option<&'static str>,
    },
    /// As when the CRD is deleted: no finalizer holds it.
    Vanish,
    /// Someone who may writes this on the record.
    OnRecord {
        word: &'static str,
    },
    /// Someone who may puts an end to the record, so many days from now.
    Until {
        days: i64,
    },
    /// Someone who may takes out what was written on the record, and its end.
    Unsay,
    /// A record is deleted by hand, past admission.
    DropRecord,
    /// An object of Azure Service Operator's is deleted by hand.
    DropObject {
        which: usize,
    },
    /// Somebody deletes a server in Azure. Azure Service Operator sees it at once, or when it looks again.
    AzureLoses {
        unseen: bool,
    },
    /// Azure answers nobody, or does so again.
    AzureIsAway {
        away: bool,
    },
    /// Somebody deletes a server that is kept, in Azure, and makes another one of the same name there.
    AzureRemakes,
    /// Another cluster takes the server, or gives it back.
    ChangeHands {
        taken: bool,
    },
    /// Something that was there once comes back, as it was then.
    PutBack {
        which: usize,
        with_status: bool,
    },
    AcceptEmpty,
}

/// One of them; those that work through what is there come more often than those that get in the way.
pub(super) fn step() -> impl Strategy<Value = Step> {
    let crash = || prop_oneof![3 => Just(None), 1 => (0..6usize).prop_map(Some)];
    let fresh = || prop_oneof![3 => Just(true), 1 => Just(false)];
    prop_oneof![
        24 => (fresh(), crash()).prop_map(|(fresh, crash)| Step::Reconcile { fresh, crash }),
        24 => (fresh(), crash()).prop_map(|(fresh, crash)| Step::ReconcileRecord { fresh, crash }),
        3 => crash().prop_map(|crash| Step::Sweep { crash }),
        14 => (1..=7usize, fresh()).prop_map(|(rounds, fresh)| Step::Work { rounds, fresh }),
        2 => Just(Step::Rest),
        20 => (any::<bool>(), 0..20usize).prop_map(|(all, which)| Step::Attend { all, which }),
        4 => Just(Step::CollectGarbage),
        6 => (1..25i64).prop_map(|minutes| Step::TimePasses { minutes }),
        3 => (1..30i64).prop_map(|hours| Step::TimePasses { minutes: hours * 60 }),
        2 => (1..12i64).prop_map(|days| Step::TimePasses { minutes: days * 24 * 60 }),
        3 => Just(Step::Restart),
        1 => select(&[0, 0, -48, 30, 24 * 40][..]).prop_map(|hours| Step::Skew { hours }),
        8 => Just(Step::Apply),
        3 => Just(Step::Resize),
        5 => select(&[None, Some("Retain"), Some("8d"), Some("Destroy"), Some("Destroy")][..])
            .prop_map(|word| Step::Delete { word }),
        1 => Just(Step::Vanish),
        4 => select(&["Retain", "Destroy", "Destroy"][..]).prop_map(|word| Step::OnRecord { word }),
        1 => (1..20i64).prop_map(|days| Step::Until { days }),
        1 => Just(Step::Unsay),
        1 => Just(Step::DropRecord),
        2 => (0..20usize).prop_map(|which| Step::DropObject { which }),
        1 => any::<bool>().prop_map(|unseen| Step::AzureLoses { unseen }),
        3 => select(&[true, false, false][..]).prop_map(|away| Step::AzureIsAway { away }),
        4 => Just(Step::AzureRemakes),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(which, with_status)| Step::PutBack { which, with_status }),
        3 => Just(Step::AcceptEmpty),
        2 => any::<bool>().prop_map(|taken| Step::ChangeHands { taken }),
    ]
}
