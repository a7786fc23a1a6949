package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// scanner reads the two great lists of a file, vocabulary and merges, from JSON that
// encoding/json has already found to be well-formed: it takes seconds to fill Go values with
// half a million strings, and this a tenth.
type scanner struct {
	b  []byte
	at int
}

// next skips white space and returns the next byte without taking it; 0 at the end.
func (s *scanner) next() byte {
	for s.at < len(s.b) {
		switch c := s.b[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

// take takes c if it is next.
func (s *scanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// list calls item for each item between open and close.
func (s *scanner) list(open, close byte, item func() error) error {
	if !s.take(open) {
		return fmt.Errorf("%.20q is where %q should be", s.b[s.at:], open)
	}
	if s.take(close) {
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if s.take(close) {
			return nil
		}
		if !s.take(',') {
			return fmt.Errorf("%.20q is where %q or ',' should be", s.b[s.at:], close)
		}
	}
}

func (s *scanner) string() (string, error) {
	if s.next() != '"' {
		return "", fmt.Errorf("%.20q is where a string should be", s.b[s.at:])
	}
	start := s.at
	for s.at++; s.at < len(s.b) && s.b[s.at] != '"'; s.at++ {
		if s.b[s.at] == '\\' {
			s.at++
		}
	}
	s.at = min(s.at+1, len(s.b))
	raw := s.b[start:s.at]
	if bytes.IndexByte(raw, '\\') < 0 && len(raw) >= 2 {
		return strings.ToValidUTF8(string(raw[1:len(raw)-1]), "\ufffd"), nil
	}
	var v string
	err := json.Unmarshal(raw, &v)
	return v, err
}

// id reads a number that may be an id.
func (s *scanner) id() (int32, error) {
	s.next()
	start, n := s.at, 0
	for s.at < len(s.b) && s.b[s.at] >= '0' && s.b[s.at] <= '9' && n < VocabMax {
		n = 10*n + int(s.b[s.at]-'0')
		s.at++
	}
	if c := s.next(); s.at == start || n >= VocabMax || c != ',' && c != '}' {
		end := start + max(bytes.IndexAny(s.b[start:], ",}"), 0)
		return 0, fmt.Errorf("id %.20s is not below %d", s.b[start:end], VocabMax)
	}
	return int32(n), nil
}

// readIDs reads {"token": id, …}.
func readIDs(b []byte) (map[string]int32, error) {
	ids := make(map[string]int32, min(bytes.Count(b, []byte(",")), VocabMax))
	s := scanner{b: b}
	return ids, s.list('{', '}', func() error {
		token, err := s.string()
		if err != nil || !s.take(':') {
			return fmt.Errorf("token %q has no id: %w", token, err)
		}
		if ids[token], err = s.id(); err != nil {
			return fmt.Errorf("%q: %w", token, err)
		}
		return nil
	})
}

// pair is a merge, which older files write as "a b" and newer ones as ["a","b"].
type pair [2]string

// readPairs reads [["a","b"], …] and ["a b", …].
func readPairs(b []byte) (pairs []pair, err error) {
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	pairs = make([]pair, 0, min(bytes.Count(b, []byte(","))/2+1, VocabMax))
	s := scanner{b: b}
	return pairs, s.list('[', ']', func() error {
		p, err := s.pair()
		if err != nil {
			return fmt.Errorf("[%d]: %w", len(pairs), err)
		}
		pairs = append(pairs, p)
		return nil
	})
}

func (s *scanner) pair() (p pair, err error) {
	if s.next() != '[' {
		both, err := s.string()
		left, right, ok := strings.Cut(both, " ")
		if err == nil && (!ok || strings.Contains(right, " ")) {
			err = fmt.Errorf("%q is not a pair", both)
		}
		return pair{left, right}, err
	}
	n := 0
	err = s.list('[', ']', func() (err error) {
		if n == len(p) {
			return fmt.Errorf("more than a pair")
		}
		p[n], err = s.string()
		n++
		return err
	})
	if err == nil && n < len(p) {
		err = fmt.Errorf("less than a pair")
	}
	return p, err
}
