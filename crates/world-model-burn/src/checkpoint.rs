//! A network and its optimiser in checkpoints.

use std::path::Path;

use burn::module::{Module as _, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use sedge_world_model_trained::{
    CheckpointError, CheckpointStory, MODEL_FILE, NamedTensors, TRAINER_FILE, hash_of,
    read_checkpoint, read_weights, take, write_checkpoint,
};

use crate::network::Network;
use crate::optimizer::{Optimizer, Slot, moved};

/// Names, shapes and values of a network's parameters.
fn named_tensors(network: &Network) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    #[derive(Default)]
    struct Names {
        path: Vec<String>,
        found: Vec<(String, Vec<usize>, Vec<f32>)>,
    }
    impl ModuleVisitor for Names {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let shape = value.dims().to_vec();
            self.found
                .push((self.path.join("."), shape, host_values(value)));
        }
    }
    let mut names = Names::default();
    network.visit(&mut names);
    names.found
}

/// A tensor's numbers on the host.
pub(crate) fn host_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    // Every tensor of the network is f32: converting cannot fail.
    tensor
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .unwrap_or_default()
}

/// Writes the averaged weights for use; returns the model hash.
pub(crate) fn save_model(
    dir: &Path,
    network: &Network,
    optimizer: &Optimizer,
    story: &CheckpointStory,
) -> Result<String, CheckpointError> {
    let names = named_tensors(network);
    let averages = optimizer
        .slots
        .iter()
        .map(|slot| host_values(slot.average.clone()));
    let tensors: NamedTensors = names
        .into_iter()
        .zip(averages)
        .map(|((name, shape, _), v)| (name, (shape, v)))
        .collect();
    let story = CheckpointStory {
        model_hash: hash_of(&tensors),
        ..story.clone()
    };
    write_checkpoint(&dir.join(MODEL_FILE), &tensors, &story)?;
    Ok(story.model_hash)
}

/// Writes everything needed to go on.
pub(crate) fn save_trainer(
    dir: &Path,
    network: &Network,
    optimizer: &Optimizer,
    story: &CheckpointStory,
) -> Result<(), CheckpointError> {
    let mut tensors = NamedTensors::new();
    for ((name, shape, values), slot) in named_tensors(network).into_iter().zip(&optimizer.slots) {
        let mut put = |kind: &str, values: Vec<f32>| {
            tensors.insert(format!("{kind}.{name}"), (shape.clone(), values));
        };
        put("weight", values);
        put("first", host_values(slot.first.clone()));
        put("second", host_values(slot.second.clone()));
        put("average", host_values(slot.average.clone()));
    }
    write_checkpoint(&dir.join(TRAINER_FILE), &tensors, story)
}

/// Sets a network's weights, in visiting order.
struct Filler {
    values: std::vec::IntoIter<Vec<f32>>,
    device: Device,
}

impl ModuleMapper for Filler {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let values = self.values.next().expect("one vector per parameter");
        let (id, old, mapper) = param.consume();
        let plain = self.device.clone().without_autodiff();
        let value = Tensor::from_data(TensorData::new(values, old.dims()), &plain);
        Param::from_mapped_value(id, moved(value, &self.device), mapper)
    }
}

fn fill(network: Network, values: Vec<Vec<f32>>, device: &Device) -> Network {
    network.map(&mut Filler {
        values: values.into_iter(),
        device: device.clone(),
    })
}

/// Reads the weights for use.
pub(crate) fn load_model(
    dir: &Path,
    device: &Device,
) -> Result<(Network, CheckpointStory), CheckpointError> {
    let path = dir.join(MODEL_FILE);
    let (mut tensors, story) = read_weights(dir)?;
    let network = Network::new(&story.config.network, 0, device);
    let values = named_tensors(&network)
        .into_iter()
        .map(|(name, shape, _)| take(&mut tensors, &path, &name, &shape))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((fill(network, values, device), story))
}

/// Reads everything needed to go on.
pub(crate) fn load_trainer(
    dir: &Path,
    device: &Device,
) -> Result<(Network, Optimizer, CheckpointStory), CheckpointError> {
    let path = dir.join(TRAINER_FILE);
    let (mut tensors, story) = read_checkpoint(&path)?;
    let network = Network::new(&story.config.network, 0, device);
    let plain = device.clone().without_autodiff();
    let (mut weights, mut slots) = (Vec::new(), Vec::new());
    for (name, shape, _) in named_tensors(&network) {
        let mut part = |kind: &str| take(&mut tensors, &path, &format!("{kind}.{name}"), &shape);
        weights.push(part("weight")?);
        let n: usize = shape.iter().product();
        let flat = |values| Tensor::<1>::from_data(TensorData::new(values, [n]), &plain);
        let (first, second) = (part("first")?, part("second")?);
        let average = part("average")?;
        slots.push(Slot {
            first: flat(first),
            second: flat(second),
            average: flat(average),
        });
    }
    let optimizer = Optimizer {
        updates: story.updates,
        skipped: 0,
        slots,
    };
    Ok((fill(network, weights, device), optimizer, story))
}
