import latent_lab.cpu_torchvision

from latent_lab.lazy import export_classes

__all__, __getattr__ = export_classes(__name__, __path__)
