package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// ErrLocked says that another process holds the file.
var ErrLocked = errors.New("the file is held by another jithook: stop that one, or ask it with --admin URL")

// DefaultLockTimeout is what an Options.LockTimeout of 0 means.
const DefaultLockTimeout = time.Second

// Options are the choices of Open; the zero value is right for production.
type Options struct {
	// LockTimeout is how long Open waits for another process to release the
	// file: long enough for a restart that overlaps.
	LockTimeout time.Duration
	// Failed, if not nil, is told the operation of every call that fails, unless
	// its caller has broken it off. The names are constants: "insert identity".
	Failed func(operation string)
}

// schema is the layout of the file that this package reads and writes.
// 2 added the outbox: an older jithook would drop what stands in it. A bucket
// that an older one may leave alone is added without a new number.
const schema = 2

var keySchema = []byte("schema")

// Open opens the store at path, and makes it if there is no file: the file for
// its owner only (0600), missing folders too (0700). Errors: ErrLocked; a file
// of a newer jithook, of another program or damaged is refused unchanged.
func Open(path string, opts Options) (*Store, error) {
	if opts.LockTimeout <= 0 {
		opts.LockTimeout = DefaultLockTimeout
	}
	db, err := open(path, opts)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s := &Store{db: db, jobs: make(chan *job), ended: make(chan struct{}), failed: opts.Failed}
	go s.write()
	return s, nil
}

func open(path string, opts Options) (*bbolt.DB, error) {
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := openFile(path, opts)
	if err != nil {
		return nil, err
	}
	if err := guard(func() error { return prepare(db) }); err != nil {
		return nil, errors.Join(reason(err), db.Close())
	}
	if fresh {
		// bbolt syncs the file; its name is the folder's, and the folder's
		// name is its parent's.
		if err := errors.Join(syncDir(dir), syncDir(filepath.Dir(dir))); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return db, nil
}

// errDamaged is what is left to say of a file that bbolt cannot use.
const errDamaged = fault("the file is no store of jithook, or it is damaged: restore a backup, or name another file")

// openFile opens the file with bbolt. A damaged one may make bbolt panic, a
// shortened one even fault on the mapped memory: both become errDamaged. (Then
// the file's lock stays with this process until it ends: nobody is left who
// could release it.)
func openFile(path string, opts Options) (db *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	err = guard(func() error {
		db, err = openMapped(path, opts, mapSize())
		if errors.Is(err, syscall.ENOMEM) {
			db, err = openMapped(path, opts, 0)
		}
		return err
	})
	if err != nil {
		return nil, reason(err)
	}
	db.AllocSize = growth
	if err := checkLength(db, path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

const (
	// growth is by how much the file grows at once.
	growth = 1 << 20
	// roomyMap is the address space that the file is mapped into.
	roomyMap = 64 << 30
)

// mapSize is the address space to ask for: more than a file is likely to have.
// It costs nothing, and without it a write that outgrows the map waits for all
// readers, so that a backup that somebody reads slowly would stop logins. On
// Windows the file itself would grow to it, and 32 bits do not have it.
func mapSize() int {
	if runtime.GOOS == "windows" || strconv.IntSize < 64 {
		return 0
	}
	return roomyMap & math.MaxInt
}

func openMapped(path string, opts Options, mapSize int) (*bbolt.DB, error) {
	return bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:         opts.LockTimeout,
		FreelistType:    bbolt.FreelistMapType, // stays fast in a large file
		NoStatistics:    true,
		InitialMmapSize: mapSize,
	})
}

// checkLength refuses a file that is shorter than its own records say: a copy
// that was cut off. Reading behind its end would end the process.
func checkLength(db *bbolt.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return errDamaged
		}
		return nil
	})
}

// reason says in our own words, or the operating system's, why a file does not
// open.
func reason(err error) error {
	var f fault
	var path *fs.PathError
	var system syscall.Errno
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return ErrLocked
	case errors.Is(err, errPanic):
		return errDamaged
	case errors.As(err, &f):
		return f
	case errors.As(err, &path):
		return path
	case errors.As(err, &system):
		return system
	}
	return errDamaged
}

// prepare makes the buckets of a fresh file, and those that a file of an older
// jithook lacks; it refuses another program's, and one of a newer jithook.
func prepare(db *bbolt.DB) error {
	found, complete := 0, false
	err := db.View(func(tx *bbolt.Tx) (err error) {
		if tx.Bucket(bucketMeta) == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fault("the file belongs to another program: name another file")
			}
			return nil
		}
		complete = !slices.ContainsFunc(buckets(), func(name []byte) bool { return tx.Bucket(name) == nil })
		found, err = schemaOf(tx)
		return err
	})
	if err != nil || found == schema && complete {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		for _, name := range buckets() {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keySchema, []byte(strconv.Itoa(schema)))
	})
}

// schemaOf returns the file's schema, or an error if it is not ours.
func schemaOf(tx *bbolt.Tx) (int, error) {
	meta := tx.Bucket(bucketMeta)
	if meta == nil {
		return 0, errDamaged
	}
	n, err := strconv.Atoi(string(meta.Get(keySchema)))
	if err != nil || n < 1 {
		return 0, errDamaged
	}
	if n > schema {
		return 0, fault(fmt.Sprintf("the file is of a newer jithook (schema %d, this one knows %d): run that jithook, or restore a backup", n, schema))
	}
	return n, nil
}

// syncDir makes the names in a folder durable. Windows has no such call and
// needs none.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
