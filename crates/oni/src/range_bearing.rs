//! `sensor.range_bearing`.

use sedge_spacetime::AgentName;

use crate::text::{read_lines, write_lines};
use crate::typed::values;
use crate::{InvalidMessage, ListOf, Message, MessageBuilder, TypedMessage};

const NAMES: &str = "neighbour_names";
const RANGE: u8 = 1;
const BEARING: u8 = 2;

/// A measured number and how wrong it may be.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    /// The number.
    pub value: f32,
    /// Its standard deviation, in the same unit, not negative.
    pub sigma: f32,
}

/// Another robot, as a sensor sees it; at least one of its two measures is there.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Who it is.
    pub name: AgentName,
    /// Distance from sensor to sensor in metres, not negative.
    pub range_m: Option<Measured>,
    /// Direction in radians: 0 is forward, counter-clockwise is positive.
    pub bearing_rad: Option<Measured>,
}

/// Which other robots a sensor sees, how far and in which direction.
///
/// # Units and frames
/// The sensor's frame, which the header names.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RangeBearing {
    /// The robots seen, each once; there may be none. `[neighbour]`
    pub neighbours: Vec<Neighbour>,
}

impl TypedMessage<'_> for RangeBearing {
    const NAME: &'static str = "sensor.range_bearing";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let each = || self.neighbours.iter();
        let names: Vec<&str> = each().map(|it| it.name.as_str()).collect();
        check_distinct(&names)?;
        let builder = write_lines(builder, NAMES, ListOf::Agents, names.into_iter())?;
        let measured: Vec<u8> = each().map(Neighbour::measured).collect();
        let column = |of: fn(&Neighbour) -> Option<Measured>, part: fn(Measured) -> f32| {
            let number = |it| part(of(it).unwrap_or_default());
            each().map(number).collect::<Vec<f32>>()
        };
        let (range, bearing) = (|it: &Neighbour| it.range_m, |it: &Neighbour| it.bearing_rad);
        let (value, sigma) = (|it: Measured| it.value, |it: Measured| it.sigma);
        let shape = [self.neighbours.len()];
        Ok(builder
            .tensor("measured", &shape, &measured)?
            .tensor("ranges_m", &shape, &column(range, value))?
            .tensor("range_sigmas_m", &shape, &column(range, sigma))?
            .tensor("bearings_rad", &shape, &column(bearing, value))?
            .tensor("bearing_sigmas_rad", &shape, &column(bearing, sigma))?)
    }

    fn read(message: &Message<'_>) -> Result<Self, InvalidMessage> {
        let measured = values::<u8>(message, "measured")?;
        let names = read_lines(message, NAMES, ListOf::Agents, Some(measured.len()))?;
        check_distinct(&names)?;
        let ranges = values::<f32>(message, "ranges_m")?;
        let range_sigmas = values::<f32>(message, "range_sigmas_m")?;
        let bearings = values::<f32>(message, "bearings_rad")?;
        let bearing_sigmas = values::<f32>(message, "bearing_sigmas_rad")?;
        let neighbour = |(idx, name): (usize, &str)| {
            let at = |bit, numbers: &[f32], sigmas: &[f32]| {
                (measured[idx] & bit != 0).then(|| Measured {
                    value: numbers[idx],
                    sigma: sigmas[idx],
                })
            };
            Neighbour {
                name: AgentName::new(name).expect("the list is one of agents"),
                range_m: at(RANGE, ranges, range_sigmas),
                bearing_rad: at(BEARING, bearings, bearing_sigmas),
            }
        };
        Ok(Self {
            neighbours: names.into_iter().enumerate().map(neighbour).collect(),
        })
    }
}

impl Neighbour {
    fn measured(&self) -> u8 {
        let bit = |measured: Option<Measured>, bit| measured.map_or(0, |_| bit);
        bit(self.range_m, RANGE) | bit(self.bearing_rad, BEARING)
    }
}

fn check_distinct(names: &[&str]) -> Result<(), InvalidMessage> {
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(InvalidMessage::Text {
            tensor: NAMES.to_string(),
            expected: "each agent once".to_string(),
            got: pair[0].to_string(),
        }),
    }
}
