/** Loaded before a server that is measured, with `--expose-gc`: SIGUSR2 makes it collect garbage, so that memory is what is held. */
process.on('SIGUSR2', () => globalThis.gc?.());
