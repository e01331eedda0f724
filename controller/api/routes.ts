import { accountRoutes } from './account-routes.ts';
import { assistantRoutes } from './assistant-routes.ts';
import { backupRoutes } from './backup-routes.ts';
import { bundleRoutes } from './bundle-routes.ts';
import { deviceKeyRoutes } from './device-key-routes.ts';
import { deviceRoutes } from './device-routes.ts';
import { deviceTransferRoutes } from './device-transfer-routes.ts';
import { enrolmentRoutes } from './enrolment-routes.ts';
import { eventRoutes } from './event-routes.ts';
import type { EventStreams } from './event-streams.ts';
import type { BodyTexts } from './json-body.ts';
import { loginRoutes } from './login-routes.ts';
import type { ApiMetrics } from './metrics.ts';
import { oidcRoutes } from './oidc-routes.ts';
import { organizationRoutes } from './organization-routes.ts';
import type { ApiConfig } from './parts.ts';
import { pullRoutes } from './pull-routes.ts';
import { questionRoutes } from './question-routes.ts';
import { restoreRoutes } from './restore-routes.ts';
import type { Route } from './route.ts';
import { runRoutes } from './run-routes.ts';
import { scheduleRoutes } from './schedule-routes.ts';
import { sessionRoutes } from './session-routes.ts';
import { snapshotRoutes } from './snapshot-routes.ts';
import { syncRoutes } from './sync-routes.ts';
import { systemRoutes } from './system-routes.ts';
import { taskRoutes } from './task-routes.ts';
import { taskTypeRoutes } from './task-type-routes.ts';
import { userRoutes } from './user-routes.ts';
import { agentScheduleRoutes } from './views/agent-schedule-routes.ts';
import { executionRoutes } from './views/execution-routes.ts';
import { taskRunRoutes } from './views/task-run-routes.ts';
import { taskScheduleRoutes } from './views/task-schedule-routes.ts';
import { variableRoutes } from './variable-routes.ts';
import { releaseRoutes } from './release-routes.ts';
import { webhookRoutes } from './webhook-routes.ts';

export interface RouteParts {
  config: ApiConfig;
  metrics: ApiMetrics;
  streams: EventStreams;
  bodyTexts: BodyTexts;
  openApi: () => string;
}

/** Every route there is: registration, role checks, OpenAPI and the tests of both are made from this list. */
export const allRoutes = ({ config, metrics, streams, bodyTexts, openApi }: RouteParts): Route[] => [
  ...taskRoutes(bodyTexts),
  ...runRoutes,
  ...assistantRoutes(bodyTexts),
  ...scheduleRoutes,
  ...questionRoutes,
  ...taskScheduleRoutes,
  ...agentScheduleRoutes,
  ...executionRoutes,
  ...taskRunRoutes,
  ...deviceRoutes,
  ...deviceKeyRoutes,
  ...bundleRoutes,
  ...variableRoutes,
  ...syncRoutes(bodyTexts),
  ...restoreRoutes(bodyTexts),
  ...pullRoutes(bodyTexts),
  ...snapshotRoutes,
  ...backupRoutes(bodyTexts),
  ...deviceTransferRoutes,
  ...enrolmentRoutes,
  ...loginRoutes,
  ...oidcRoutes,
  ...userRoutes,
  ...accountRoutes,
  ...organizationRoutes,
  ...taskTypeRoutes,
  ...sessionRoutes,
  ...releaseRoutes(bodyTexts),
  ...webhookRoutes,
  ...eventRoutes(streams),
  ...systemRoutes(metrics, config.metricsAccess, openApi),
];
