namespace Aspire.Hosting.Local;

/// <summary>Files with secrets: never readable by others, not even for the moment between creation and a change of mode.</summary>
internal static class PrivateFile
{
    public static void Write(string path, string content, SystemUser? owner = null)
    {
        File.Delete(path);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var writer = new StreamWriter(path, options))
        {
            writer.Write(content);
        }

        if (owner is not null)
        {
            Posix.ChangeOwner(path, owner);
        }
    }
}
