//! What is to be renewed now, as a pure function of what stands and of the time.
//!
//! A leaf is renewed at once, since its CA is trusted already. A CA is renewed in three steps, so that at each
//! moment whatever certificate a replica serves is trusted by whatever bundle an API server goes by:
//!
//! 1. The *next* CA is made, and published beside the present one, which goes on to serve.
//! 2. Once all webhook configurations have held it for a while (`settle`), and so every API server has heard
//!    of it, it signs the leaf, and the present CA becomes an *old* one, still published. The configurations
//!    say since when they hold each CA.
//! 3. Once that was so for long (`overlap`), and so every replica has taken up the new leaf, no old one is
//!    published any more.
//!
//! Each replica does this by itself. They agree, because each step is a write to the Secret that succeeds for
//! one of them only, and because times count from those written there and in the configurations.

use jiff::{SignedDuration, Timestamp};

use crate::{
    Invalid, Pair, Served,
    issue::{self, is_past},
    pair::{bundle, certificates, issuer, valid, works},
    publish::Seen,
    state::{ROTATE, State},
};

/// How long the steps of a rotation take.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From publishing a CA, be it the next one or one that was dropped before, to serving its certificate: as
    /// long as an API server may take to hear of it.
    pub settle: SignedDuration,
    /// From serving the next CA's certificate to dropping the old CA: as long as a replica may take to hear
    /// of it.
    pub overlap: SignedDuration,
}

/// All that a decision depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    pub state: &'a State,
    /// What the webhook configurations hold, read before the state; `None` when they can't be read.
    pub seen: Option<&'a Seen>,
    /// What this replica serves.
    pub served: Option<&'a Served>,
    pub names: &'a [String],
    pub now: Timestamp,
    pub timing: Timing,
}

/// What the Secret is to hold from now on, and why, for the log; no reason where it stays as it is.
pub(crate) fn step(input: Input<'_>) -> Result<(State, Vec<String>), rcgen::Error> {
    let mut plan = Plan { input, state: input.state.clone(), notes: Vec::new() };
    let wish = plan.state.rotate.take();
    if let Some(wish) = wish.as_deref().filter(|wish| !matches!(*wish, LEAF | CA)) {
        plan.note(format!("{ROTATE}: {wish} on the Secret is taken away: write {LEAF} or {CA}"));
    }
    plan.catch_up();
    plan.leaf(wish.as_deref() == Some(LEAF))?;
    plan.authority(wish.as_deref() == Some(CA))?;
    plan.switch()?;
    plan.drop_old();
    Ok((plan.state, plan.notes))
}

const LEAF: &str = "leaf";
const CA: &str = "ca";

struct Plan<'a> {
    input: Input<'a>,
    state: State,
    notes: Vec<String>,
}

impl Plan<'_> {
    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The Secret may know less than what is published and served: it was damaged, or put back from a copy. What may
    /// be in use is trusted on, and a CA that no API server has heard of comes next, and not at once.
    fn catch_up(&mut self) {
        let Input { seen, served, now, .. } = self.input;
        let heard_of = self.heard_of();
        let served = served.and_then(|served| served.authority.as_deref());
        let authority = self.state.authority.certificate.trim().to_owned();
        let is_known = |ca: &str| ca.trim() == authority;
        let is_unheard_of =
            valid(&heard_of, now).next().is_some() && !certificates(&heard_of).chain(served).any(is_known);
        let issuer_of_leaf = issuer(&self.state.leaf.certificate, &heard_of);
        if is_unheard_of && issuer_of_leaf.is_none() {
            self.state.leaf = Pair::default();
        }
        if is_unheard_of && self.state.authority != Pair::default() {
            let authority = std::mem::take(&mut self.state.authority);
            if !self.state.next.as_ref().is_some_and(|next| works(&next.signs(now))) {
                self.state.next = Some(authority).filter(|authority| works(&authority.signs(now)));
            }
            self.note(
                "API servers may not have heard of the CA in the Secret: it doesn't sign before they have",
            );
        }
        for bundle in seen.into_iter().flat_map(Seen::bundles) {
            // Bundles begin with the eldest. What stands before the present CA was dropped; what stands behind it
            // is newer than the Secret.
            let in_use = match bundle.split_once(&authority) {
                _ if is_unheard_of => bundle,
                Some((_, newer)) => newer,
                None => issuer_of_leaf.unwrap_or_default(),
            };
            self.keep_trusting(in_use);
        }
        self.keep_trusting(served.unwrap_or_default());
    }

    /// The CAs that every API server has heard of. Where none has been published for long, it is any that is: after a
    /// tool has emptied the configurations, none is a better one, and a former version didn't write since when.
    fn heard_of(&self) -> String {
        let Input { seen: Some(seen), now, timing, .. } = self.input else { return String::new() };
        // By the clock of the replica that went over to it, which may be ahead of ours.
        let switched = self.state.switched.filter(|since| is_past(*since, now));
        let by = switched.map_or(now, |switched| switched.max(now));
        let published = bundle(seen.bundles());
        let heard_of = bundle(certificates(&published).filter(|ca| seen.has_held(ca, timing.settle, by)));
        if valid(&heard_of, now).next().is_some() { heard_of } else { published }
    }

    /// Sees to it that there is a leaf, from whichever CA can sign it without a review failing for it.
    fn leaf(&mut self, asked: bool) -> Result<(), rcgen::Error> {
        let Input { names, now, .. } = self.input;
        let mut names = names.to_vec();
        let why = match self.check_leaf() {
            Ok(()) if asked => format!("{ROTATE} asks for it"),
            Ok(()) => return Ok(()),
            Err(invalid) => {
                if matches!(invalid, Invalid::OtherName(_)) {
                    // A replica that is told other names must not take ours away again.
                    names.extend(self.state.leaf.names());
                    names.sort();
                    names.dedup();
                }
                format!("the present one {invalid}")
            }
        };
        if works(&self.state.authority.signs(now)) {
            self.state.leaf = issue::leaf(&self.state.authority, &names, now)?;
            self.note(format!("issued a certificate of the same CA: {why}"));
        } else if self.leaf_is_trusted() {
            self.note(format!("no new certificate until a next CA can sign it: {why}"));
        } else if !self.restore() {
            self.start()?;
        }
        Ok(())
    }

    fn check_leaf(&self) -> Result<(), Invalid> {
        let fit = self.state.leaf.serves(self.input.names, self.input.now);
        if works(&fit) && !self.has_signed(&self.state.authority.certificate) {
            return Err(Invalid::OtherCa);
        }
        fit
    }

    fn leaf_is_trusted(&self) -> bool {
        works(&self.state.leaf.serves(self.input.names, self.input.now))
            && self.has_signed(&self.state.trusted())
    }

    /// Whether one of these CAs, which is still valid, has signed the leaf.
    fn has_signed(&self, cas: &str) -> bool {
        valid(cas, self.input.now).any(|ca| issuer(&self.state.leaf.certificate, ca).is_some())
    }

    /// The Secret was lost: what this replica still serves goes back into it, so that a replica which starts
    /// now can serve it too while a new CA is published. The old CA's key is not brought back: whoever
    /// deleted the Secret may have wanted it gone.
    fn restore(&mut self) -> bool {
        let Some(Served { leaf, authority: Some(authority) }) = self.input.served else { return false };
        let good =
            works(&leaf.serves(&[], self.input.now)) && valid(authority, self.input.now).next().is_some();
        if good && self.state.leaf != *leaf {
            let present = std::mem::take(&mut self.state.authority.certificate);
            self.keep_trusting(&present);
            self.state.authority = Pair { certificate: authority.clone(), key: String::new() };
            self.state.leaf = leaf.clone();
            self.note("put back the certificate that is served, until a new CA is published");
        }
        good
    }

    /// A first start: where no CA is published, no certificate is trusted, and nothing is lost by being quick.
    /// Where one is published, a replica may serve a certificate of it that we don't know.
    fn start(&mut self) -> Result<(), rcgen::Error> {
        let Input { seen, names, now, .. } = self.input;
        if seen.is_none_or(|seen| seen.bundles().any(|bundle| valid(bundle, now).next().is_some())) {
            return Ok(());
        }
        let next = self.state.next.take().filter(|next| next.signs(now).is_ok());
        let authority = next.map_or_else(|| issue::authority(now), Ok)?;
        let leaf = issue::leaf(&authority, names, now)?;
        self.state = State { authority, leaf, rotate: self.state.rotate.take(), ..State::default() };
        self.note("issued a CA and a certificate: there were none");
        Ok(())
    }

    /// Step 1: a next CA where one is needed, beside all that may be in use.
    fn authority(&mut self, asked: bool) -> Result<(), rcgen::Error> {
        let now = self.input.now;
        let why = match (&self.state.next, self.state.authority.signs(now)) {
            (Some(next), _) => match next.signs(now) {
                Ok(()) if asked => {
                    self.note(format!("{ROTATE} is taken away: a next CA is on its way already"));
                    return Ok(());
                }
                Ok(()) => return Ok(()),
                Err(invalid) => format!("the one before {invalid}"),
            },
            (None, Err(invalid)) => format!("the present one {invalid}"),
            (None, Ok(())) if asked => format!("{ROTATE} asks for it"),
            (None, Ok(())) => return Ok(()),
        };
        let Some(seen) = self.input.seen else {
            // Later, when it can be published.
            self.state.rotate.clone_from(&self.input.state.rotate);
            return Ok(());
        };
        self.keep_trusting(&bundle(seen.bundles()));
        self.state.next = Some(issue::authority(now)?);
        self.note(format!("made a next CA, to be published beside the present one: {why}"));
        Ok(())
    }

    /// Counts CAs as old ones, unless they have expired or have a place already.
    fn keep_trusting(&mut self, cas: &str) {
        let next = self.state.next.as_ref().map(|next| next.certificate.trim());
        let present = Some(self.state.authority.certificate.trim());
        let cas = valid(cas, self.input.now).filter(|ca| ![present, next].contains(&Some(*ca)));
        self.state.old = bundle([self.state.old.as_str()].into_iter().chain(cas));
    }

    /// Step 2: the next CA takes over once every API server has heard of it.
    fn switch(&mut self) -> Result<(), rcgen::Error> {
        let Input { seen: Some(seen), names, now, timing, .. } = self.input else { return Ok(()) };
        let Some(next) = self.state.next.clone() else { return Ok(()) };
        if seen.has_held(&next.certificate, timing.settle, now) {
            self.state.leaf = issue::leaf(&next, names, now)?;
            let before = std::mem::replace(&mut self.state.authority, next);
            self.state.next = None;
            self.keep_trusting(&before.certificate);
            self.state.switched = Some(now);
            self.note("issued a certificate of the next CA, which is the CA from now on");
        }
        Ok(())
    }

    /// Step 3: old CAs go once every replica has taken up the certificate of the new one.
    fn drop_old(&mut self) {
        let Input { now, timing, .. } = self.input;
        if self.state.old.is_empty() {
            self.state.switched = None;
        } else if self.state.next.is_none() && !self.has_signed(&self.state.old) {
            match self.state.switched.filter(|since| is_past(*since, now)) {
                None => self.state.switched = Some(now),
                Some(since) if now.duration_since(since) >= timing.overlap => {
                    self.state.old.clear();
                    self.state.switched = None;
                    self.note("the old CA is trusted no more");
                }
                Some(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
