package disk

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/internal/durable"
)

// A content file is the bytes of a body, and a footer: what it is the body of, as JSON; the
// checksum of each block of the body; and footerTail. So what a file needs to be checked, and to
// be named again, lies within it, and is synced with it. Files of older programs have no footer;
// the scrub writes theirs into the folder sums, under the same name.

// blockBytes is what one checksum is of. A reader holds one block, whatever its client's pace.
const blockBytes = 64 << 10

// footerMagic ends a file that has a footer.
const footerMagic = "outcrop\x01"

// footerTail is the fixed end of a footer: the lengths of what is before it, the CRC-32C of all of
// the footer up to there, and the magic.
const footerTail = 8 + 4 + 4 + 4 + len(footerMagic)

// footerGuess is how much is read at first: the footer of a body of up to 60 MB.
const footerGuess = 4 << 10

// originMax bounds a footer's JSON, which holds one object's headers and metadata.
const originMax = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// origin says what a file is the body of.
type origin struct {
	Bucket string
	Key    []byte
	Object *blob.Object `json:",omitempty"` // of a put: without Bucket and Key
	Upload string       `json:",omitempty"` // of a part: the upload's id
	Part   *blob.Part   `json:",omitempty"`
}

// footer is what is known of a file's body.
type footer struct {
	origin []byte // JSON
	size   int64  // of the body
	sums   []uint32
}

// blocks returns how many blocks a body of n bytes has.
func blocks(n int64) int64 { return (n + blockBytes - 1) / blockBytes }

func (f footer) encode() []byte {
	b := append([]byte{}, f.origin...)
	for _, sum := range f.sums {
		b = binary.LittleEndian.AppendUint32(b, sum)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(f.size))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.origin)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.sums)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return append(b, footerMagic...)
}

// bodyName is what errors call a content file: callers need not know where the directory is.
func bodyName(file string) string { return "data/" + file[:2] + "/" + file }

// errNoFooter is of a file that does not end as ours do.
var errNoFooter = errors.New("the file has no checksums")

// readFooter reads the footer at the end of f, whose body is before it unless the file is one of
// folder sums. name is what errors call it. Errors: errNoFooter, and blob.ErrDamaged if it does not fit its own checksum.
func readFooter(f *os.File, name string, alone bool) (footer, error) {
	info, err := f.Stat()
	if err != nil {
		return footer{}, err
	}
	tail, err := readTail(f, info.Size(), footerGuess)
	if err != nil {
		return footer{}, err
	}
	if len(tail) < footerTail || string(tail[len(tail)-len(footerMagic):]) != footerMagic {
		return footer{}, errNoFooter
	}
	fixed := tail[len(tail)-footerTail:]
	size, originLen, sums := int64(binary.LittleEndian.Uint64(fixed)), int64(binary.LittleEndian.Uint32(fixed[8:])), int64(binary.LittleEndian.Uint32(fixed[12:]))
	whole := originLen + 4*sums + int64(footerTail)
	body := size
	if alone {
		body = 0
	}
	if size < 0 || originLen > originMax || sums != blocks(size) || whole+body != info.Size() {
		return footer{}, fmt.Errorf("%w: the checksums of %s are wrong", blob.ErrDamaged, name)
	}
	if whole > int64(len(tail)) {
		if tail, err = readTail(f, info.Size(), whole); err != nil {
			return footer{}, err
		}
	}
	return decodeFooter(name, tail[int64(len(tail))-whole:], originLen, size)
}

func readTail(f *os.File, size, n int64) ([]byte, error) {
	b := make([]byte, min(n, size))
	if _, err := f.ReadAt(b, size-int64(len(b))); err != nil {
		return nil, fmt.Errorf("read the checksums of %s: %w", f.Name(), err)
	}
	return b, nil
}

func decodeFooter(name string, b []byte, originLen, size int64) (footer, error) {
	crcAt := len(b) - len(footerMagic) - 4
	if crc32.Checksum(b[:crcAt], castagnoli) != binary.LittleEndian.Uint32(b[crcAt:]) {
		return footer{}, fmt.Errorf("%w: the checksums of %s are wrong", blob.ErrDamaged, name)
	}
	f := footer{origin: b[:originLen], size: size, sums: make([]uint32, blocks(size))}
	for i := range f.sums {
		f.sums[i] = binary.LittleEndian.Uint32(b[originLen+4*int64(i):])
	}
	return f, nil
}

// sums adds up a body that comes in pieces of whole blocks, but for the last.
type sums []uint32

func (s *sums) add(b []byte) {
	for len(b) > 0 {
		n := min(len(b), blockBytes)
		*s = append(*s, crc32.Checksum(b[:n], castagnoli))
		b = b[n:]
	}
}

// content is an open content file.
type content struct {
	f       *os.File
	name    string
	size    int64 // of the body
	sums    []uint32
	checked bool // it has sums
}

// openContent opens a file's body. One without checksums is not an error.
func (s *Store) openContent(file string) (*content, error) {
	f, err := os.Open(s.path(file))
	if err != nil {
		return nil, fmt.Errorf("open a content file: %w", err)
	}
	c := &content{f: f, name: file}
	foot, err := readFooter(f, bodyName(file), false)
	if err == errNoFooter {
		foot, err = s.readSums(file)
	}
	switch {
	case err == nil:
		c.size, c.sums, c.checked = foot.size, foot.sums, true
	case err == errNoFooter && s.isDamaged(file): // the scrub said so; there is nothing to compare with
		err = fmt.Errorf("%w: %s", blob.ErrDamaged, bodyName(file))
	case err == errNoFooter:
		err = nil
	default:
		err = s.damage(file, err)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return c, nil
}

// sumsPath is where the checksums of a file of an older program are.
func (s *Store) sumsPath(file string) string { return filepath.Join(s.dir, "sums", file) }

func (s *Store) readSums(file string) (footer, error) {
	f, err := os.Open(s.sumsPath(file))
	if errors.Is(err, fs.ErrNotExist) {
		return footer{}, errNoFooter
	}
	if err != nil {
		return footer{}, err
	}
	defer f.Close()
	foot, err := readFooter(f, "sums/"+file, true)
	if err == errNoFooter {
		err = fmt.Errorf("%w: sums/%s are no checksums", blob.ErrDamaged, file)
	}
	return foot, err
}

// writeSums keeps the checksums of a file that has none.
func (s *Store) writeSums(file string, size int64, of sums) error {
	if err := os.MkdirAll(filepath.Join(s.dir, "sums"), 0o700); err != nil {
		return err
	}
	return durable.WriteBytes(s.sumsPath(file), 0o600, footer{origin: []byte("{}"), size: size, sums: of}.encode())
}

// block reads what of one block belongs to segment g into buffer, and returns it: from g.offset to
// the end of the block or of the segment. Error: blob.ErrDamaged.
func (c *content) block(g segment, buffer []byte) ([]byte, error) {
	start := g.offset
	want := min(blockBytes, g.length)
	if c.checked {
		start -= start % blockBytes
		want = min(blockBytes, c.size-start)
	}
	if want <= 0 {
		return nil, c.short(g)
	}
	b := buffer[:want]
	if _, err := c.f.ReadAt(b, start); err == io.EOF {
		return nil, c.short(g)
	} else if err != nil {
		return nil, err
	}
	if c.checked && crc32.Checksum(b, castagnoli) != c.sums[start/blockBytes] {
		return nil, fmt.Errorf("%w: bytes %d to %d of %s", blob.ErrDamaged, start, start+want-1, bodyName(c.name))
	}
	b = b[g.offset-start:]
	return b[:min(int64(len(b)), g.length)], nil
}

func (c *content) short(g segment) error {
	return fmt.Errorf("%w: %s ends before byte %d", blob.ErrDamaged, bodyName(c.name), g.offset+g.length)
}

// encodeOrigin returns what a footer says its file is. The object's id, and all that makes the
// object, must be known.
func encodeOrigin(o origin) ([]byte, error) {
	b, err := json.Marshal(o)
	if err == nil && len(b) > originMax {
		err = fmt.Errorf("what is known of %s is too long: %d bytes", base64.StdEncoding.EncodeToString(o.Key), len(b))
	}
	return b, err
}
