//! Blueprints written by hand, entity by entity.
//!
//! The SDK's builder has no way to place a 3D camera or to show the whole trail of one entity.

use rerun::blueprint::components::{ContainerKind, Corner2D, PanelState, PlayState};
use rerun::blueprint::{BlueprintActivation, components as parts};
use rerun::external::re_log_types::{ApplicationId, BlueprintActivationCommand, LogMsg};
use rerun::external::re_sdk_types::blueprint::archetypes::{
    Background, ContainerBlueprint, EyeControls3D, LineGrid3D, PanelBlueprint, PlotLegend,
    ScalarAxis, TimePanelBlueprint, ViewBlueprint, ViewContents, ViewportBlueprint,
    VisibleTimeRanges,
};
use rerun::external::re_sdk_types::blueprint::components::{BackgroundKind, VisibleTimeRange};
use rerun::{
    AsComponents, EntityPath, RecordingStream, RecordingStreamBuilder, RecordingStreamError,
    datatypes,
};

use crate::{color, path};

/// The outcome of writing.
pub(crate) type Written<T> = Result<T, RecordingStreamError>;

/// What stands in a container: where, and how wide or high beside its neighbours.
pub(crate) struct Child {
    pub(crate) path: EntityPath,
    pub(crate) share: f32,
}

impl Child {
    pub(crate) fn new(path: EntityPath, share: f32) -> Self {
        Self { path, share }
    }
}

/// A view to be written.
pub(crate) struct ViewSpec<'a> {
    pub(crate) class: &'a str,
    pub(crate) name: String,
    pub(crate) origin: EntityPath,
    pub(crate) contents: Vec<String>,
}

/// Where a 3D view looks from.
#[derive(Debug, Clone)]
pub(crate) struct Eye {
    pub(crate) position_m: [f32; 3],
    pub(crate) target_m: [f32; 3],
    pub(crate) up: [f32; 3],
    /// What it follows.
    pub(crate) tracked: Option<EntityPath>,
    /// Distance of the grid's lines, in metres.
    pub(crate) grid_m: f32,
}

/// Writes views and containers with ids in the order of writing, the same each time.
pub(crate) struct Writer {
    stream: RecordingStream,
    n_ids: u128,
}

/// The messages of a blueprint and its id; `None` when nothing was written.
pub(crate) fn messages(
    application_id: &ApplicationId,
    write: impl FnOnce(&mut Writer) -> Written<()>,
) -> Written<Option<(Vec<LogMsg>, BlueprintActivationCommand)>> {
    let (stream, storage) = RecordingStreamBuilder::new(application_id.clone())
        .send_properties(false)
        .blueprint()
        .memory()?;
    stream.set_log_time_enabled(false);
    stream.set_time_sequence("blueprint", 0);
    let mut writer = Writer { stream, n_ids: 0 };
    write(&mut writer)?;
    writer.finish()?;
    let messages = storage.take();
    let first_id = messages.first().map(|first| first.store_id().clone());
    let BlueprintActivation {
        make_active,
        make_default,
    } = BlueprintActivation::default();
    Ok(first_id.map(|blueprint_id| {
        let activation = BlueprintActivationCommand {
            blueprint_id,
            make_active,
            make_default,
        };
        (messages, activation)
    }))
}

/// Sends a blueprint into a recording, as the default and at once.
pub(crate) fn send(
    recording: &RecordingStream,
    write: impl FnOnce(&mut Writer) -> Written<()>,
) -> Written<()> {
    let Some(info) = recording.store_info() else {
        return Ok(());
    };
    if let Some((messages, activation)) = messages(info.application_id(), write)? {
        recording.send_blueprint(messages, activation);
    }
    Ok(())
}

/// The time panel as one line that follows the newest data.
pub(crate) fn following() -> TimePanelBlueprint {
    TimePanelBlueprint::new()
        .with_state(PanelState::Collapsed)
        .with_timeline(path::TIMELINE)
        .with_play_state(PlayState::Following)
}

impl Writer {
    /// The last container is the root. The panels at the sides are one click away.
    fn finish(&mut self) -> Written<()> {
        let root = datatypes::Uuid {
            bytes: self.n_ids.to_be_bytes(),
        };
        let viewport = ViewportBlueprint::new()
            .with_root_container(root)
            .with_auto_views(false);
        self.stream.log("viewport", &viewport)?;
        let hidden = PanelBlueprint::new().with_state(PanelState::Hidden);
        self.stream.log("blueprint_panel", &hidden)?;
        self.stream.log("selection_panel", &hidden)?;
        self.stream.log("time_panel", &following())
    }

    pub(crate) fn view(&mut self, spec: &ViewSpec<'_>) -> Written<EntityPath> {
        let view = path::entity(&["view", &self.next_view_id(spec.class)]);
        let contents = spec
            .contents
            .iter()
            .map(|rule| parts::QueryExpression::from(rule.as_str()));
        self.property(&view, "ViewContents", &ViewContents::new(contents))?;
        let blueprint = ViewBlueprint::new(spec.class)
            .with_display_name(spec.name.as_str())
            .with_space_origin(spec.origin.to_string());
        self.stream.log(view.clone(), &blueprint)?;
        Ok(view)
    }

    /// A container; horizontal and vertical ones share their room out as the children say.
    pub(crate) fn container(
        &mut self,
        kind: ContainerKind,
        children: &[Child],
    ) -> Written<EntityPath> {
        let container = path::entity(&["container", &self.next_id()]);
        let contents = children.iter().map(|child| child.path.to_string());
        let shares = children.iter().map(|child| child.share);
        let blueprint = ContainerBlueprint::new(kind).with_contents(contents);
        let blueprint = match kind {
            ContainerKind::Horizontal => blueprint.with_col_shares(shares),
            ContainerKind::Vertical => blueprint.with_row_shares(shares),
            ContainerKind::Tabs | ContainerKind::Grid => blueprint,
        };
        self.stream.log(container.clone(), &blueprint)?;
        Ok(container)
    }

    /// Places the camera, on our background and grid.
    pub(crate) fn eye(&self, view: &EntityPath, eye: &Eye) -> Written<()> {
        let controls = EyeControls3D::new()
            .with_position(eye.position_m)
            .with_look_target(eye.target_m)
            .with_eye_up(eye.up);
        let controls = match &eye.tracked {
            Some(tracked) => controls.with_tracking_entity(tracked.to_string().as_str()),
            None => controls,
        };
        self.property(view, "EyeControls3D", &controls)?;
        let background = Background::new(BackgroundKind::SolidColor).with_color(color::BACKGROUND);
        self.property(view, "Background", &background)?;
        let grid = LineGrid3D::new()
            .with_spacing(eye.grid_m)
            .with_stroke_width(1.0)
            .with_color(color::GRID);
        self.property(view, "LineGrid3D", &grid)
    }

    /// Settings of a plot.
    pub(crate) fn plot(&self, view: &EntityPath) -> Written<()> {
        self.property(
            view,
            "PlotLegend",
            &PlotLegend::new().with_corner(Corner2D::LeftTop),
        )?;
        self.property(view, "ScalarAxis", &ScalarAxis::new().with_zoom_lock(false))
    }

    /// Shows every piece of an entity from a time up to the time cursor, not only the newest.
    pub(crate) fn show_until_now(
        &self,
        view: &EntityPath,
        shown: &EntityPath,
        from: datatypes::TimeRangeBoundary,
    ) -> Written<()> {
        let range = VisibleTimeRange(datatypes::VisibleTimeRange {
            timeline: path::TIMELINE.into(),
            range: datatypes::TimeRange {
                start: from,
                end: datatypes::TimeRangeBoundary::AT_CURSOR,
            },
        });
        let overrides = view
            .join(&path::entity(&["ViewContents", "overrides"]))
            .join(shown)
            .join(&path::entity(&["visualizers"]));
        self.stream.log(overrides, &VisibleTimeRanges::new([range]))
    }

    /// One property of a view.
    pub(crate) fn property(
        &self,
        view: &EntityPath,
        name: &str,
        archetype: &dyn AsComponents,
    ) -> Written<()> {
        self.stream
            .log(view.join(&path::entity(&[name])), archetype)
    }

    /// The next id, of a view of this class. A screen that is sent again, with one view more, gives
    /// ids anew, and a viewer keeps what it knows of a view by its id: it may then be another view,
    /// but never one of another class, which the viewer could not draw.
    fn next_view_id(&mut self, class: &str) -> String {
        self.n_ids += 1;
        // FNV-1a, Fowler, Noll and Vo.
        let hash = class.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        format!("{hash:08x}-0000-0000-0000-{:012x}", self.n_ids)
    }

    /// The next id, written as the viewer reads it: a UUID.
    fn next_id(&mut self) -> String {
        self.n_ids += 1;
        format!("00000000-0000-0000-0000-{:012x}", self.n_ids)
    }
}
