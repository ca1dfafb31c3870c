// Package imports makes disks from what rows name by URL, or from disks of another domain: the nodes of a row's region fetch the bytes and
// take them in like any publish.
package imports
