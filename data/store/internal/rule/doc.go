// Package rule holds what every implementation of outcrop.Store must decide alike: which
// changes are well formed, what a page token looks like, and how the errors read.
package rule
