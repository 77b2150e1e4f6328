using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace AspireStreaming.Streaming.Redis;

/// <summary>
/// The scripts of one partition in one partition epoch. Both numbers are a part of the text and so of the hash: a script left in
/// the cache of a process that lost data, was flushed, or was demoted and promoted again can not be called by mistake.
/// </summary>
internal sealed class FencedScripts
{
    private static readonly string AppendBody = Load("append.lua");
    private static readonly string DeleteBody = Load("delete.lua");

    private readonly int _partition;

    public FencedScripts(int partition, long epoch)
    {
        _partition = partition;
        Epoch = epoch;
        EpochText = Encoding.ASCII.GetBytes(epoch.ToString(CultureInfo.InvariantCulture));
        Append = Hash(AppendText);
        Delete = Hash(DeleteText);
    }

    /// <summary>The partition epoch they serve.</summary>
    public long Epoch { get; }

    /// <summary>The same as an argument of a script.</summary>
    public byte[] EpochText { get; }

    /// <summary>SHA-1 of the append script, by which Redis knows it.</summary>
    public byte[] Append { get; }

    /// <summary>SHA-1 of the delete script.</summary>
    public byte[] Delete { get; }

    /// <summary>The append script. Made when it is asked for: kept for every partition, the texts would be megabytes.</summary>
    public string AppendText =>
        string.Create(CultureInfo.InvariantCulture, $"#!lua\nlocal OWN, OWN_EPOCH = '{StreamKeys.Tag(_partition)}', '{Epoch}'\n") + AppendBody;

    /// <summary>The delete script.</summary>
    public string DeleteText =>
        string.Create(
            CultureInfo.InvariantCulture,
            $$"""
            #!lua
            local EPOCH, EPOCH_KEY, ARCHIVE, BYTES = '{{Epoch}}', '{{StreamKeys.Epoch(_partition)}}', '{{StreamKeys.Archive(_partition)}}', '{{StreamKeys.ArchiveBytes(_partition)}}'
            local INDEX, META, IDS0, IDS1 = '{{StreamKeys.Index(_partition)}}', '{{StreamKeys.Tag(_partition)}}m:', '{{StreamKeys.Tag(_partition)}}i0:', '{{StreamKeys.Tag(_partition)}}i1:'
            local CHANNEL = '{{StreamKeys.Tag(_partition)}}c:'

            """) + DeleteBody;

    /// <summary>The append script that serves all partitions; see <see cref="SharedScript"/>.</summary>
    /// <param name="load">Makes the text, and so its hash, one that nobody else loads.</param>
    public static string SharedAppendText(string load) => $"#!lua\nlocal OWN, OWN_EPOCH = nil, nil -- {load}\n" + AppendBody;

#pragma warning disable CA5350 // SHA-1 is how Redis names scripts, not a protection.
    /// <summary>The hash by which Redis knows a script.</summary>
    public static byte[] Hash(string text) => SHA1.HashData(Encoding.UTF8.GetBytes(text));
#pragma warning restore CA5350

    public static string Load(string name)
    {
        using var stream = typeof(FencedScripts).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The script {name} is not embedded.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
