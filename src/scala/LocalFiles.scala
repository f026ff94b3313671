package saleslakehouse

import java.net.URI
import java.nio.file.Files
import java.nio.file.attribute.PosixFilePermissions

import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.permission.FsPermission
import org.apache.hadoop.fs.{ChecksumFs, DelegateToFileSystem, FileStatus, LocalFileSystem, Path, RawLocalFileSystem}

/** Hadoop's local file system, which starts no program.
  *
  * Without Hadoop's native library, which Spark's package lacks, Hadoop starts `chmod` for each file and folder that it makes,
  * and `readlink` for each that it renames.
  */
class LocalFiles extends LocalFileSystem(new FilesWithoutPrograms)

/** The same for Hadoop's other interface to file systems, by which Delta writes its log. */
class LocalFilesOfLog(uri: URI, conf: Configuration)
    extends ChecksumFs(new DelegateToFileSystem(uri, new FilesWithoutPrograms, conf, "file", false) {
      override def getUriDefaultPort: Int = -1 // none: a path, and no host
      override def isValidName(name: String): Boolean = true // as the disk has it
    })

private class FilesWithoutPrograms extends RawLocalFileSystem {

  override def setPermission(path: Path, permission: FsPermission): Unit =
    if (permission.getStickyBit) super.setPermission(path, permission) // which Java does not know
    else Files.setPosixFilePermissions(pathToFile(path).toPath, PosixFilePermissions.fromString(permission.toString))

  override def getFileLinkStatus(path: Path): FileStatus =
    if (Files.isSymbolicLink(pathToFile(path).toPath)) super.getFileLinkStatus(path) else getFileStatus(path)
}
