"""Who: the parks, providers, authorities and people of the marketplace, and the kernel all packages stand on."""
