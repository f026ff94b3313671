package saleslakehouse

import java.io.IOException
import java.lang.{Boolean => JBoolean}
import java.nio.charset.StandardCharsets.UTF_8
import java.nio.file.FileAlreadyExistsException
import java.util.{Arrays, Iterator => JIterator}

import scala.util.{Try, Using}

import io.delta.storage.S3SingleDriverLogStore
import org.apache.hadoop.conf.Configuration
import org.apache.hadoop.fs.{FileSystem, Path}

/** Delta's log store for S3, safe for any number of drivers: a commit is one PUT on the condition that nothing is there.
  *
  * Delta's own looks first and then writes, so of two drivers that commit one version at the same moment the later one
  * overwrites the earlier. Here the store itself decides (`If-None-Match: *`), and Delta hears of the refusal what it hears
  * of a file that it found: someone else was first. Hadoop before 3.4.2 does not know the option, and refuses to write.
  */
class ConditionalPutLogStore(configuration: Configuration) extends S3SingleDriverLogStore(configuration) {

  override def write(path: Path, actions: JIterator[String], overwrite: JBoolean, conf: Configuration): Unit =
    if (overwrite) super.write(path, actions, overwrite, conf)
    else {
      // All of it is there before anything is written: what is cut short must not be closed, since to close is to commit.
      val text = new StringBuilder
      while (actions.hasNext) text.append(actions.next()).append('\n')
      val content = text.toString.getBytes(UTF_8)
      val fs = path.getFileSystem(conf)
      try create(fs, path, content)
      catch {
        // A refusal may be that of a second try, after the answer to the first, which succeeded, was lost.
        case error: IOException =>
          Try(Using.resource(fs.open(path))(_.readAllBytes())).toOption match {
            case Some(found) if Arrays.equals(found, content) =>
            case Some(_) => throw new FileAlreadyExistsException(path.toString)
            case None => throw error
          }
      }
    }

  private def create(fs: FileSystem, path: Path, content: Array[Byte]): Unit = {
    val file = fs.createFile(path).recursive().must("fs.option.create.conditional.overwrite", true).build()
    file.write(content)
    file.close()
  }
}
