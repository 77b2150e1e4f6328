namespace AspireStreaming.Cli.Publish;

/// <summary>Opens files of JSON lines; also pipes with names.</summary>
internal static class JsonLinesFile
{
    /// <exception cref="CliException">It cannot be read.</exception>
    public static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions
            {
                Access = FileAccess.Read,
                Share = FileShare.ReadWrite | FileShare.Delete,
                BufferSize = 0,
                Options = FileOptions.SequentialScan,
            });
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCode.BadInput, $"cannot read {path}: {exception.Message}", exception);
        }
    }
}
