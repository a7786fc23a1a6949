package blob

import (
	"errors"
	"fmt"
)

// The errors of a store. They may be wrapped.
var (
	ErrNoSuchBucket   = errors.New("the bucket does not exist")
	ErrNoSuchKey      = errors.New("the key does not exist")
	ErrNoSuchUpload   = errors.New("the upload does not exist, or has been completed or aborted")
	ErrBucketExists   = errors.New("the bucket exists")
	ErrBucketNotEmpty = errors.New("the bucket holds objects")
	ErrPrecondition   = errors.New("a condition of the request does not hold")
	ErrPartOrder      = errors.New("the parts are not in ascending order")
	ErrNoParts        = errors.New("an upload needs at least one part")
	ErrNoSpace        = errors.New("the disk is full")
	ErrBusy           = errors.New("another program has the index locked")
	ErrDamaged        = errors.New("the bytes on the disk are not those that were stored")
)

// SpaceError is an ErrNoSpace with the numbers.
type SpaceError struct {
	Says string // a sentence for people
	Err  error
}

// Error returns the sentence.
func (e *SpaceError) Error() string { return e.Says }

// Is makes it an ErrNoSpace.
func (e *SpaceError) Is(target error) bool { return target == ErrNoSpace }

// Unwrap returns what said so.
func (e *SpaceError) Unwrap() error { return e.Err }

// PartError says which part of an upload cannot be used.
type PartError struct {
	Number int
	ETag   string
	// Size and Min are set if the part is too small: only the last may be.
	Size, Min int64
}

// Error returns the sentence.
func (e *PartError) Error() string {
	if e.Min > 0 {
		return fmt.Sprintf("part %d has %d bytes; all but the last need %d", e.Number, e.Size, e.Min)
	}
	return fmt.Sprintf("part %d is missing or is not the one that was named", e.Number)
}
