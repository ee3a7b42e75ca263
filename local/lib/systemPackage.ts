/** A package of the Linux distribution that a service is made from. */
export interface SystemPackage {
  readonly name: string;
  /** What it is for, as the person who is asked to install it reads it. */
  readonly purpose: string;
}
