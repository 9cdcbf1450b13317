//! The agent: messages in; beliefs, predictions and their grades out.

mod afterwards;
mod answer;
mod budgeting;
mod comparing;
mod drive;
mod health;
mod hear;
mod latency_message;
mod life;
mod minds;
mod receive;
mod shared_lists;
mod speaker;

use std::sync::Arc;

use sedge_latency::{BudgetMonitor, Chain, RecentSpans, StageLedger};
use sedge_oni::{EncodedMessage, Key, KeyPattern, LatencyReport};
use sedge_spacetime::{Clock, Stamp};
use sedge_transport::{
    DropLedger, Inbox, LossLedger, NextTick, Node, Outbox, Outgoing, PutOutcome, Qos,
};

use crate::announcer::Announcer;
use crate::counters::Counters;
use crate::driving::Controller;
use crate::grader::Grader;
use crate::intake::Intake;
use crate::metrics::{Figures, MetricsBoard, Whose};
use crate::plans::Plans;
use crate::registry::{FirstContact, ServeError};
use crate::restarts::Restarts;
use crate::voice::SpeakError;
use crate::{
    AgentConfig, AgentError, AgentObserver, AgentReport, Driven, ModelFactory, NoObserver, Severity,
};
use afterwards::Answered;
use latency_message::write_latency;
use life::Life;
use minds::Minds;
use receive::Lists;
use speaker::Speaker;

/// Turns sensor messages into beliefs and predictions, and grades each prediction when its future
/// arrives. Sans-I/O: what it publishes is a function of what comes, of the times passed in and of
/// the model; the clock is only asked how long its own stages took.
///
/// # One tick
/// First what the last scan left to do (grading, baselines, observer), then every message of the
/// inbox into the reorder buffer, then events from it in the order of their stamps until one scan
/// has been answered with a prediction. So a prediction is on its way before anything that is not
/// needed for it is done.
///
/// # Driving
/// With [`AgentNode::with_driving`] each scan is first answered with a command, which a safety
/// filter has judged, and the prediction is made under what the agent means to do. It also decides
/// when time passes: while a scan is late the plan goes on, and when scan or odometry are older
/// than they may be, a stop is sent at that moment.
///
/// # Restarts
/// A new epoch of a sensor stream, or stamps that run back in messages that are in order, begin
/// the belief anew from the model's factory; the figures go on.
pub struct AgentNode {
    config: AgentConfig,
    subscriptions: Vec<(KeyPattern, Qos)>,
    clock: Arc<dyn Clock>,
    /// Another clock that stages are measured with, if there is one.
    stopwatch: Option<Arc<dyn Clock>>,
    /// When the message that is read now was taken out of the inbox, on the stopwatch.
    began_receiving: Stamp,
    minds: Minds,
    intake: Intake,
    plans: Plans,
    restarts: Restarts,
    contacts: FirstContact,
    loss: LossLedger,
    /// What was dropped here.
    drops: DropLedger,
    /// What the network dropped, as it last said.
    network_drops: DropLedger,
    latency: StageLedger,
    budgets: BudgetMonitor,
    /// Chains that were declared with their budgets.
    chains: Vec<Chain>,
    /// When the last stage of the message in hand ended, on the stopwatch.
    lapped: Stamp,
    /// From plans to commands, in nanoseconds.
    after_plan: RecentSpans,
    /// A budget was missed in this tick that says to leave out the rest of it.
    is_cut_short: bool,
    grader: Grader,
    counters: Counters,
    observer: Box<dyn AgentObserver>,
    speaker: Speaker,
    /// Where its figures are put down for Prometheus, if somebody asked for that.
    metrics: Option<MetricsBoard>,
    announcer: Announcer,
    life: Life,
    answered: Option<Answered>,
    newest_scan: Stamp,
    /// Whether the model could be made at the last restart; without it nothing is believed.
    has_mind: bool,
    /// Of an agent that drives.
    controller: Option<Box<Controller>>,
    /// An order to stop or to go on has come and was not acted on yet.
    order_came: bool,
    lists: Lists,
    /// What it said last of its latency, for its memory.
    reported: LatencyReport,
    /// The clock of the message that was read last.
    heard_clock: Arc<str>,
}

impl AgentNode {
    /// An agent with this model, to be graded beside persistence and these baselines. The factories
    /// are called once here and once at each restart of the sensor streams.
    ///
    /// # Errors
    /// [`AgentError`] for a configuration that makes no sense, or when a model cannot be made.
    pub fn new(
        config: AgentConfig,
        clock: Arc<dyn Clock>,
        model: ModelFactory,
        baselines: Vec<ModelFactory>,
    ) -> Result<Self, AgentError> {
        config.check()?;
        let minds = Minds::new(model, baselines)?;
        let horizon_max = config.horizons.iter().max().copied().unwrap_or_default();
        let subscriptions = config.subscriptions()?;
        let (speaking, publications) = (config.speaking(), config.publications()?);
        Ok(Self {
            intake: Intake::new(config.scanner_latency_secs, config.scan_wait_max)?,
            plans: Plans::new(config.command_age_max, horizon_max),
            budgets: BudgetMonitor::new(&config.budgets),
            chains: config.budgets.own_chains(),
            lapped: Stamp::ZERO,
            after_plan: RecentSpans::default(),
            is_cut_short: false,
            grader: Grader::new(&config.horizons, minds.methods(), config.pending_max),
            announcer: Announcer::new(speaking, subscriptions.clone(), publications)?,
            subscriptions,
            speaker: Speaker::new(&config)?,
            life: Life::new(&config),
            restarts: Restarts::default(),
            contacts: FirstContact::new(),
            loss: LossLedger::new(),
            drops: DropLedger::new(),
            network_drops: DropLedger::new(),
            latency: StageLedger::default(),
            counters: Counters::default(),
            observer: Box::new(NoObserver),
            metrics: None,
            answered: None,
            newest_scan: Stamp::ZERO,
            has_mind: true,
            stopwatch: None,
            began_receiving: Stamp::ZERO,
            controller: None,
            order_came: false,
            lists: Lists::default(),
            reported: LatencyReport::default(),
            heard_clock: "".into(),
            config,
            clock,
            minds,
        })
    }

    /// With somebody who sees what it does.
    #[must_use]
    pub fn with_observer(self, observer: Box<dyn AgentObserver>) -> Self {
        Self { observer, ..self }
    }

    /// With a board on which it puts its figures down as often as it sends them.
    #[must_use]
    pub fn with_metrics(self, board: MetricsBoard) -> Self {
        Self {
            metrics: Some(board),
            ..self
        }
    }

    /// What it listens to.
    pub fn subscriptions(&self) -> Vec<(KeyPattern, Qos)> {
        self.subscriptions.clone()
    }

    /// What it publishes under.
    pub fn publications(&self) -> Vec<(Key, Qos)> {
        self.announcer.publications()
    }

    /// The schemas that it answers for from `now` on, and under which keys.
    ///
    /// # Errors
    /// [`ServeError`] where the names or the clock make no header.
    pub fn services(&self, now: Stamp) -> Result<Vec<(Key, EncodedMessage)>, ServeError> {
        self.announcer.services(now)
    }

    /// The figures so far.
    pub fn report(&self) -> AgentReport {
        let mut counters = self.counters.clone();
        let ungraded = self.grader.ungraded();
        counters.add_many("ungraded-no-scan", ungraded.no_scan);
        counters.add_many("ungraded-other-scanner", ungraded.other_scanner);
        counters.add_many("ungraded-forgotten", ungraded.forgotten);
        counters.add_many("ungraded-restarted", ungraded.restarted);
        counters.add_many("ungraded-waiting", self.grader.n_waiting() as u64);
        AgentReport {
            agent: self.config.robot.to_string(),
            epoch: self.config.epoch,
            model: self.minds.model_name().to_owned(),
            model_hash: hexadecimal(&self.config.model_hash),
            predictions: self.grader.rows().map(Into::into).collect(),
            latency: self.latency.report(),
            budgets: self.budgets.rows(),
            streams: self.loss.streams().map(Into::into).collect(),
            contacts: self.contacts.rows(),
            drops: self.all_drops().rows().map(Into::into).collect(),
            counters: counters.all(),
            driving: self.controller.as_ref().map(|it| it.report()),
            threads: Vec::new(),
        }
    }

    /// Where the time went, to be merged with others'.
    pub(crate) fn stages(&self) -> &StageLedger {
        &self.latency
    }

    fn spoke(&mut self, put: Result<(), SpeakError>) {
        if let Err(error) = put {
            self.say("publish-refused", Severity::Error, &error.to_string());
        }
    }

    fn restart(&mut self, counter: &'static str, why: &str) {
        self.intake.clear();
        self.plans.clear();
        self.grader.forget_waiting();
        self.life.began_anew();
        if let Some(controller) = &mut self.controller {
            controller.restart();
        }
        self.say(
            counter,
            Severity::Warn,
            &format!("{why}: the belief begins anew"),
        );
        let restarted = self.minds.restart();
        self.has_mind = restarted.is_ok();
        if let Err(error) = restarted {
            self.say("restarts-failed", Severity::Error, &error.to_string());
        }
    }

    /// Counts, and tells the observer and the log of the 1st, 2nd, 4th, 8th... time: a flood of bad
    /// messages must not become a flood of text.
    fn say(&mut self, counter: &'static str, severity: Severity, text: &str) {
        self.counters.add(counter);
        let n = self.counters.of(counter);
        if n.is_power_of_two() {
            self.tell(severity, counter, text);
        }
    }

    /// Tells the observer and the log.
    fn tell(&mut self, severity: Severity, counter: &'static str, text: &str) {
        let (agent, n) = (self.config.robot.as_str(), self.counters.of(counter));
        match severity {
            Severity::Error => tracing::error!(agent, counter, n, "{text}"),
            Severity::Warn => tracing::warn!(agent, counter, n, "{text}"),
            Severity::Info => tracing::info!(agent, counter, n, "{text}"),
        }
        let text = format!("{counter} ({n}): {text}");
        self.observer.on_text(self.newest_scan, severity, &text);
    }

    fn telemetry(&mut self, now: Stamp, outbox: &mut Outbox) {
        if self.stopwatch.is_some() {
            return;
        }
        let ladder = self.controller.as_mut().and_then(|it| it.ladder());
        let mut report = std::mem::take(&mut self.reported);
        let kept = (self.budgets.iter_rows(), ladder);
        write_latency(&mut report, self.latency.rows(), kept, self.loss.total());
        let put = self.speaker.report(now, &report, outbox);
        self.spoke(put);
        if let Some(board) = &self.metrics {
            board.put(Figures {
                whose: self.whose(),
                at: now,
                report: report.clone(),
                drops: self.all_drops().rows().collect(),
            });
        }
        self.reported = report;
    }

    fn whose(&self) -> Whose {
        Whose {
            fleet: self.config.fleet.to_string(),
            agent: self.config.robot.to_string(),
            stream: self.config.stream.clone(),
            model: self.minds.model_name().to_owned(),
            epoch: self.config.epoch,
        }
    }

    fn next_tick(&mut self, now: Stamp, outbox: &mut Outbox) -> NextTick {
        if self.answered.is_some() {
            return NextTick::At(now);
        }
        let over = self.life.over_at();
        if over.is_some_and(|over| now >= over) && self.intake.is_empty() {
            self.telemetry(now, outbox);
            self.last_word(now, outbox);
            return NextTick::Finished;
        }
        let times = [
            over.filter(|over| now < *over),
            self.intake.next_release(),
            self.life.next_telemetry(),
            self.announcer.next_due(),
            self.contacts.next_poll(),
            self.controller.as_ref().and_then(|it| it.next_due()),
        ];
        times
            .into_iter()
            .flatten()
            .min()
            .map_or(NextTick::OnMessage, NextTick::At)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
        text.extend([digit(byte >> 4), digit(byte & 15)].into_iter().flatten());
    }
    text
}

impl Node for AgentNode {
    fn name(&self) -> &str {
        self.config.robot.as_str()
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        self.is_cut_short = false;
        if let Some(answered) = self.answered.take() {
            self.afterwards(answered);
            self.look_ahead(now);
        }
        self.settle_contacts(now);
        while let Some(received) = inbox.pop() {
            if let Some(stopwatch) = &self.stopwatch {
                self.began_receiving = stopwatch.now();
            }
            self.receive(&received, now);
        }
        self.advance(now, outbox);
        self.drive_by_time(now, outbox);
        if self.life.telemetry_due(now) {
            self.telemetry(now, outbox);
        }
        self.announce(now, outbox);
        self.next_tick(now, outbox)
    }
}

impl Driven for AgentNode {
    fn contacts(&mut self) -> Option<&mut FirstContact> {
        Some(&mut self.contacts)
    }

    fn on_drops(&mut self, drops: DropLedger) {
        self.network_drops = drops;
    }

    fn on_put(&mut self, outgoing: &Outgoing, outcome: PutOutcome) {
        match outcome {
            PutOutcome::Sent => {}
            PutOutcome::Shed | PutOutcome::Closed => {
                self.say("puts-shed", Severity::Warn, outgoing.key.as_str());
            }
            PutOutcome::Late => self.say("puts-late", Severity::Warn, outgoing.key.as_str()),
        }
    }
}

#[cfg(test)]
mod tests;
