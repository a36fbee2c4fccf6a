import { invalidArgument } from '#base/errors.ts';
import type { ContainerConfig } from '#cri-api';

/** A qualified device name in its parts: `vendor.com/class=name`. */
export interface DeviceName {
	readonly qualified: string;
	/** `vendor.com/class`. */
	readonly kind: string;
	readonly name: string;
}

/** Vendor and class (CDI specification, "Kind"): a letter first, a letter or digit last. */
const WORD = '[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?';
export const KIND = new RegExp(`^${WORD}/${WORD}$`);
export const DEVICE = /^[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?$/;

/** Device plug-ins that know no CDI_devices put names here, separated by commas. */
const ANNOTATION = 'cdi.k8s.io/';

/** INVALID_ARGUMENT naming the field for what is no qualified name. */
export function parseDeviceName(field: string, qualified: string): DeviceName {
	const at = qualified.indexOf('=');
	const [kind, name] = [qualified.slice(0, Math.max(at, 0)), qualified.slice(at + 1)];
	if (KIND.test(kind) && DEVICE.test(name)) return { qualified, kind, name };
	throw invalidArgument(
		`${field}: ${JSON.stringify(qualified)} is no CDI device, whose form is vendor.com/class=name`,
	);
}

/** The devices that a request asks for, each once. */
export function requestedDevices({
	CDI_devices,
	annotations,
}: Pick<ContainerConfig, 'CDI_devices' | 'annotations'>): readonly DeviceName[] {
	const listed = CDI_devices.map(({ name }, index) => parseDeviceName(`CDI_devices[${index}].name`, name));
	const annotated = Object.entries(annotations)
		.filter(([key]) => key.startsWith(ANNOTATION))
		.flatMap(([key, value]) =>
			value.split(',').map((name) => parseDeviceName(`annotations[${JSON.stringify(key)}]`, name)),
		);
	return [...new Map([...listed, ...annotated].map((device) => [device.qualified, device])).values()];
}
