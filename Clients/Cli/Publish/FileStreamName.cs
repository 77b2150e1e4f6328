using AspireStreaming.Client;

namespace AspireStreaming.Cli.Publish;

/// <summary>Streams named after files.</summary>
internal static class FileStreamName
{
    /// <summary>A file's name without extension, characters that a stream may not have replaced by <c>-</c>; maybe not valid.</summary>
    public static string Of(string path)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        return string.Create(Math.Min(name.Length, StreamName.MaxLength), name, static (target, name) =>
        {
            for (var index = 0; index < target.Length; index++)
            {
                target[index] = StreamName.IsAllowed(name[index]) ? name[index] : '-';
            }
        });
    }
}
