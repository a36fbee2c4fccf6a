/** The door of the embedded OCI runtime. */

export type { NativeBinary } from './binaries.ts';
export { nativeBinary } from './binaries.ts';
export { readSpec, readTeardown } from './bundle.ts';
export { openCgroups } from './cgroup/cgroups.ts';
export type { CgroupLayout } from './cgroup/layout.ts';
export type { CriuState } from './criu/criu.ts';
export { Criu } from './criu/criu.ts';
export type { Surroundings } from './criu/surroundings.ts';
export { readExitRecord } from './exit-record.ts';
export type { RuntimeFeatures } from './features.ts';
export { isAtLeast, runtimeFeatures } from './features.ts';
export type { LauncherOptions } from './launcher/client.ts';
export { startLauncher } from './launcher/client.ts';
export type { NativeProcess } from './native-process.ts';
export { readNativeProcess } from './native-process.ts';
export type * from './oci/spec.ts';
export { validateSpec } from './oci/validate.ts';
export { checkCanCheckpoint, checkpointContainer } from './operations/checkpoint.ts';
export { cgroupsPathOfSpec } from './operations/context.ts';
export { prepareCreate } from './operations/create.ts';
export { canDelete, canExec, canKill, canStart } from './operations/state.ts';
export { CAPABILITIES } from './plan/capabilities.ts';
export { lowerContainer } from './plan/container.ts';
export type { PlanContext } from './plan/context.ts';
export { lowerExec } from './plan/exec.ts';
export type { TimedStep } from './plan/step-line.ts';
export { parseNumberedLines, parseStepLine, stepLine } from './plan/step-line.ts';
export { lowerTeardown } from './plan/teardown.ts';
export { checkProcess, identify } from './process-identity.ts';
export type { ProfileConditions } from './seccomp/profile.ts';
export { loadSeccompProfile } from './seccomp/profile.ts';
export type { ConnectOptions } from './shim/client.ts';
export { connectShim } from './shim/client.ts';
export type { Op } from './shim/codec.ts';
/** For the network hook: its plan and result are a NET_APPLY and a NET_APPLIED payload in a file. */
export { decodeBody, encodeBody } from './shim/codec.ts';
export { isHookFailure } from './shim/errors.ts';
/** NET_* for network plans; FS_OPS are the kinds of file operations. */
export { CONSTANTS, FS_OPS } from './shim/schema.ts';
export type * from './types.ts';
