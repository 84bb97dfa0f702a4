"""Torchvision's other networks: any classifier, its layers being the nodes of its graph."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.fx import GraphModule

from nst.devices import is_full
from nst.errors import ImageError
from nst.networks.vgg import Network


class TorchvisionNetwork(Network):
    """Any other torchvision model; its layers are the nodes of its graph ("layer1.0.relu")."""

    def __init__(self, model: nn.Module, mean: Sequence[float], std: Sequence[float]):
        from torchvision.models.feature_extraction import get_graph_node_names

        super().__init__(mean, std)
        for module in model.modules():
            if getattr(module, "inplace", False):
                module.__dict__["inplace"] = False
        self.model = model.eval().requires_grad_(False)
        self._names = get_graph_node_names(self.model)[1][1:]  # the first is the input
        self._extractors: dict[tuple[str, ...], nn.Module] = {}

    @property
    def layer_names(self) -> list[str]:
        """All nodes in order of evaluation."""
        return self._names

    def forward(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        """Activations of the nodes `layers`; nothing deeper is computed."""
        from torchvision.models.feature_extraction import create_feature_extractor

        self.check_layers(layers)
        key = tuple(layers)
        if key not in self._extractors:
            self._extractors[key] = out_of_place(create_feature_extractor(self.model, list(layers)))
        try:
            with self.rounding(image):
                found = self._extractors[key](self.normalise(image))
            return {name: self.unrounded(feature) for name, feature in found.items()}
        except (RuntimeError, AssertionError) as error:
            if is_full(error):
                raise
            raise ImageError(
                f"{self.settings.get('network', 'the network')} cannot take a picture of "
                f"{image.shape[-1]}×{image.shape[-2]} pixels ({error}); try another size"
            ) from error


def out_of_place(extractor: GraphModule) -> GraphModule:
    """Switch off in-place functions, which would overwrite activations kept before them."""
    for node in extractor.graph.nodes:
        if node.kwargs.get("inplace"):
            node.kwargs = {**node.kwargs, "inplace": False}
    extractor.recompile()
    return extractor.eval()
