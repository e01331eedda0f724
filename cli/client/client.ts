import { accessRoutes } from './access.ts';
import { accountRoutes } from './accounts.ts';
import { backupRoutes } from './backups.ts';
import { bundleRoutes } from './bundles.ts';
import { configRoutes } from './configs.ts';
import { deviceRoutes } from './devices.ts';
import type { Http } from './http.ts';
import { questionRoutes } from './questions.ts';
import { releaseRoutes } from './releases.ts';
import { organizationRoutes } from './organizations.ts';
import { runRoutes } from './runs.ts';
import { scheduleRoutes } from './schedules.ts';
import { sessionRoutes } from './sessions.ts';
import { syncRoutes } from './sync.ts';
import { taskRoutes } from './tasks.ts';
import { taskTypeRoutes } from './task-types.ts';
import { variableRoutes } from './variables.ts';
import { webhookRoutes } from './webhooks.ts';

/** Every route the command line uses, by resource. */
export const createClient = (http: Http, organization: string) => ({
  http,
  tasks: taskRoutes(http, organization),
  taskTypes: taskTypeRoutes(http, organization),
  runs: runRoutes(http, organization),
  devices: deviceRoutes(http, organization),
  access: accessRoutes(http, organization),
  accounts: accountRoutes(http, organization),
  organizations: organizationRoutes(http),
  bundles: bundleRoutes(http, organization),
  variables: variableRoutes(http, organization),
  sync: syncRoutes(http, organization),
  configs: configRoutes(http, organization),
  backups: backupRoutes(http, organization),
  sessions: sessionRoutes(http, organization),
  schedules: scheduleRoutes(http, organization),
  questions: questionRoutes(http, organization),
  webhooks: webhookRoutes(http, organization),
  releases: releaseRoutes(http, organization),
});

export type Client = ReturnType<typeof createClient>;
