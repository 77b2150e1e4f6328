using System.Buffers;

namespace AspireStreaming.Streaming.Contracts;

/// <summary>Rules for stream names: 1 to 200 characters from <c>A-Z a-z 0-9 . _ : ~ -</c>, but not <c>.</c> or <c>..</c>.</summary>
public static class StreamName
{
    /// <summary>Longest name, in characters.</summary>
    public const int MaxLength = 200;

    /// <summary>Number of partitions that streams are spread over; a part of the stored format, never changed.</summary>
    public const int PartitionCount = 64;

    /// <summary>What a valid name is, for error messages.</summary>
    public const string Rule = "a stream name has 1 to 200 characters from A-Z a-z 0-9 . _ : ~ - and is not '.' or '..'";

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:~-");

    /// <summary>Whether <paramref name="name"/> may name a stream.</summary>
    public static bool IsValid(ReadOnlySpan<char> name) =>
        name.Length is > 0 and <= MaxLength && !name.ContainsAnyExcept(Allowed) && name is not "." and not "..";

    /// <summary>The partition, 0 to 63, of a valid name: FNV-1a (32 bit) of its characters, modulo 64. Stored data depends on it.</summary>
    public static int PartitionOf(ReadOnlySpan<char> name)
    {
        var hash = 2166136261u;
        foreach (var character in name)
        {
            hash = (hash ^ character) * 16777619u;
        }

        // The low bits of FNV-1a are its weakest; folding mixes the high ones in.
        return (int)((hash ^ (hash >> 16)) % PartitionCount);
    }
}
