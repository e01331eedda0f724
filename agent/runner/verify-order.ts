import { TaskError } from '../../shared/errors.ts';
import type { ControllerKeys } from '../../shared/node/controller-keys.ts';
import { TaskOrder } from '../../shared/protocol/task.ts';

/**
 * What the controller of this device signed for it, as the agent and the root helper both read it. Throws `TaskError`: `bad_signature`, also
 * when the order is for another task than `code`; `wrong_device`; `bad_parameters` when a newer controller says what is not understood here.
 */
export function verifyOrder(
  signed: { order: string; signature: string; code?: string },
  { controllerKeys, deviceId }: { controllerKeys: Pick<ControllerKeys, 'isSigned'>; deviceId: string },
): TaskOrder {
  if (!controllerKeys.isSigned(signed.order, signed.signature)) {
    throw new TaskError('bad_signature', 'The order is not signed by the controller of this device');
  }
  const order = parseOrder(signed.order);
  if (signed.code !== undefined && order.code !== signed.code) {
    throw new TaskError(
      'bad_signature',
      `The signed order is for task ${order.code}, not for ${signed.code}`,
    );
  }
  if (order.device !== deviceId) {
    throw new TaskError('wrong_device', `The order is for device ${order.device}, this is ${deviceId}`);
  }
  return order;
}

function parseOrder(text: string): TaskOrder {
  try {
    return TaskOrder.parse(JSON.parse(text));
  } catch (cause) {
    throw new TaskError('bad_parameters', 'The order is signed but not understood', { cause });
  }
}
