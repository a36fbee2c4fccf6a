/** The specs of critest that may fail or be skipped, each because of something that no runtime can change. */
export interface Exception {
	/** Of the spec's name, as the table prints it. */
	readonly spec: RegExp;
	readonly outcome: 'failed' | 'skipped';
	/** What critest or the runtime says when it is for this reason, and no other. */
	readonly says: RegExp;
	/** Why it cannot be had here, for people. */
	readonly reason: string;
}

export const EXCEPTIONS: readonly Exception[] = [
	{
		spec: /^Image Manager: public image with digest should be pulled and removed$/,
		outcome: 'failed',
		says: /not found there \(404/,
		reason:
			'the image must have one particular digest, which only its bytes in a registry on the internet have',
	},
	{
		spec: /^AppArmor: /,
		outcome: 'skipped',
		says: /^AppArmor is disabled on this host$/,
		reason: 'needs a kernel with AppArmor',
	},
	{
		spec: /^NRI: /,
		outcome: 'skipped',
		says: /^NRI socket not configured/,
		reason: 'NRI, an interface for plug-ins, is no part of the CRI, and Gantry has none',
	},
];
