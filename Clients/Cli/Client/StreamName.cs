using System.Buffers;

namespace AspireStreaming.Cli.Client;

/// <summary>Rules for stream names.</summary>
internal static class StreamName
{
    public const int MaxLength = 200;

    public const string Rule = "a stream name has 1 to 200 characters from A-Z a-z 0-9 . _ : ~ - and is not '.' or '..'";

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~-");

    public static bool IsValid(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= MaxLength && !name.ContainsAnyExcept(Allowed) && name is not "." and not "..";

    /// <summary>A file's name without extension, characters that a stream may not have replaced by <c>-</c>; maybe not valid.</summary>
    public static string FromFile(string path)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        return string.Create(Math.Min(name.Length, MaxLength), name, static (target, name) =>
        {
            for (var index = 0; index < target.Length; index++)
            {
                target[index] = Allowed.Contains(name[index]) ? name[index] : '-';
            }
        });
    }
}
