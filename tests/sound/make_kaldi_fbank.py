"""What kaldi-native-fbank makes of the test's clips, kept so that the tests need no such library:

    pip install kaldi-native-fbank && python -m tests.sound.make_kaldi_fbank

writes ``kaldi_fbank.npz``: every 12th frame of each clip's log-mel, float32 ``(clips, 25, 80)``, and the mean of each
band over all frames, float32 ``(clips, 80)``.
"""

from pathlib import Path

import numpy as np

from tests.sound.fbank_clips import FRAME_STEP, clips

STORED = Path(__file__).with_name("kaldi_fbank.npz")


def main() -> None:
    import kaldi_native_fbank as kaldi

    options = kaldi.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = 80
    frames, means = [], []
    for samples in clips():
        oracle = kaldi.OnlineFbank(options)
        oracle.accept_waveform(16000, (samples / 32768.0).tolist())
        oracle.input_finished()
        whole = np.stack([oracle.get_frame(index) for index in range(oracle.num_frames_ready)])
        assert whole.shape == (298, 80)
        frames.append(whole[::FRAME_STEP])
        means.append(whole.mean(axis=0, dtype=np.float64))
    np.savez_compressed(STORED, frames=np.stack(frames), means=np.stack(means).astype(np.float32))


if __name__ == "__main__":
    main()
