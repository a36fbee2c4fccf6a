import type { OciLinux, OciMount, OciProcess, OciSpec } from '#runtime';

/** One step of building a spec: a new spec from the one before and the input. Pure. */
export type With<Input> = (spec: OciSpec, input: Input) => OciSpec;

/** What every spec starts from. */
export const EMPTY_SPEC: OciSpec = {
	ociVersion: '1.2.0',
	root: { path: 'rootfs' },
	process: { cwd: '/', args: [], user: { uid: 0, gid: 0 } },
	mounts: [],
	linux: {},
};

/** Runs the steps in order. */
export function build<Input>(steps: readonly With<Input>[], input: Input): OciSpec {
	return steps.reduce((spec, step) => step(spec, input), EMPTY_SPEC);
}

/** The process that a draft always has. */
export function processOf(spec: OciSpec): OciProcess {
	return { ...(EMPTY_SPEC.process as OciProcess), ...spec.process };
}

export function withProcess(spec: OciSpec, change: Partial<OciProcess>): OciSpec {
	return { ...spec, process: { ...processOf(spec), ...change } };
}

export function withLinux(spec: OciSpec, change: Partial<OciLinux>): OciSpec {
	return { ...spec, linux: { ...spec.linux, ...change } };
}

export function addMounts(spec: OciSpec, mounts: readonly OciMount[]): OciSpec {
	return { ...spec, mounts: [...(spec.mounts ?? []), ...mounts] };
}
