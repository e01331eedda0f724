import { accessRoutes } from './access.ts';
import { deviceRoutes } from './devices.ts';
import type { Http } from './http.ts';
import { runRoutes } from './runs.ts';
import { taskRoutes } from './tasks.ts';

/** Every route the command line uses, by resource. */
export const createClient = (http: Http, organization: string) => ({
  http,
  tasks: taskRoutes(http, organization),
  runs: runRoutes(http, organization),
  devices: deviceRoutes(http, organization),
  access: accessRoutes(http, organization),
});

export type Client = ReturnType<typeof createClient>;
