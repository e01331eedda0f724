import manifest from '../package.json' with { type: 'json' };

/** Of this agent, as it tells the controller. */
export const version: string = manifest.version;
