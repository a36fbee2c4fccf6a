import { unimplemented } from '#base/errors.ts';

/** Annotations by which other runtimes put containers into classes of the cache, of memory bandwidth, of disks. */
const CLASSES: readonly (readonly [begins: string, what: string])[] = [
	['io.kubernetes.cri.rdt-class', 'RDT classes'],
	['rdt.resources.beta.kubernetes.io/', 'RDT classes'],
	['io.kubernetes.cri.blockio-class', 'block I/O classes'],
	['blockio.resources.beta.kubernetes.io/', 'block I/O classes'],
];

/** UNIMPLEMENTED for a class: who asks for one counts on getting no less, and others on not being disturbed. */
export function checkClasses(field: string, annotations: Readonly<Record<string, string>>): void {
	for (const name of Object.keys(annotations)) {
		const found = CLASSES.find(([begins]) => name.startsWith(begins));
		if (found === undefined) continue;
		throw unimplemented(
			`${field}[${JSON.stringify(name)}] = ${JSON.stringify(annotations[name])}: Gantry has no ${found[1]}; leave it out`,
		);
	}
}
