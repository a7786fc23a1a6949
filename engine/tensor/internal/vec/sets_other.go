//go:build !amd64 || !linux || purego

package vec

var sets []*Set
