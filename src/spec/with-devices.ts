import type { OciDeviceRule, OciMount, OciSpec } from '#runtime';
import { addMounts, type With, withLinux } from './draft.ts';
import type { ContainerSpecInput, ResolvedDevice } from './input.ts';

const DENY_ALL: OciDeviceRule = { allow: false, type: 'a', access: 'rwm' };
const ALLOW_ALL: OciDeviceRule = { allow: true, type: 'a', access: 'rwm' };

/** Device nodes, and which devices may be used. The default devices are the runtime's own business (OCI). */
export const withDevices: With<ContainerSpecInput> = (spec, { devices, privileged, sandbox, defaults }) => {
	const rules =
		privileged && !defaults.privilegedWithoutHostDevices
			? [ALLOW_ALL]
			: [DENY_ALL, ...devices.filter(({ access }) => access !== '').map(ruleOf)];
	const allowed = withLinux(spec, { resources: { ...spec.linux?.resources, devices: rules } });
	// mknod of a device is refused in every user namespace but the first.
	return sandbox.namespaces.user === undefined
		? withLinux(allowed, { devices: devices.map(nodeOf) })
		: addMounts(allowed, devices.map(bindOf));
};

/** The sandbox itself uses none. */
export function withoutDevices(spec: OciSpec): OciSpec {
	return withLinux(spec, { resources: { ...spec.linux?.resources, devices: [DENY_ALL] } });
}

function ruleOf({ type, major, minor, access }: ResolvedDevice): OciDeviceRule {
	return { allow: true, type, major, minor, access };
}

function nodeOf({
	hostPath: _host,
	access: _access,
	...node
}: ResolvedDevice): Omit<ResolvedDevice, 'hostPath' | 'access'> {
	return node;
}

function bindOf({ hostPath, path }: ResolvedDevice): OciMount {
	return { destination: path, type: 'bind', source: hostPath, options: ['bind', 'rprivate', 'rw'] };
}
